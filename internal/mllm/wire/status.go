package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// StatusError makes an error of an HTTP status other than 200 and the message in the body,
// from which it removes the key.
func StatusError(status int, body []byte, key mllm.Key) *mllm.Error {
	message := errorMessage(body)
	e := &mllm.Error{Class: classOfStatus(status, message), Status: status, Err: errors.New(Excerpt(key.Redact(message)))}
	switch e.Class {
	case mllm.Auth:
		e.Err = usererr.Wrap(e.Err, "Check the key, its permissions and the account's quota; the key is read from the environment.")
	case mllm.NotFound:
		e.Err = usererr.Wrap(e.Err, "Check the base URL and the model's name; the server must have the model already.")
	}
	return e
}

func classOfStatus(status int, message string) mllm.Class {
	message = strings.ToLower(message)
	switch {
	case status == http.StatusTooManyRequests && strings.Contains(message, "insufficient_quota"):
		return mllm.Auth // waiting does not help
	case status == http.StatusTooManyRequests:
		return mllm.RateLimit
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusPaymentRequired:
		return mllm.Auth
	case status == http.StatusNotFound:
		return mllm.NotFound
	case status == http.StatusRequestTimeout:
		return mllm.Timeout
	case status == http.StatusNotImplemented, status >= 500 && unsupported(message):
		return mllm.Refused // whoever asks the same again is told the same
	case status >= 500:
		return mllm.Server
	case status/100 == 4 && tooLongForModel(message):
		return mllm.PromptCut
	case status/100 == 2:
		return mllm.BadResponse
	}
	return mllm.Refused
}

// unsupported recognises the messages of servers about a kind of request that they cannot
// serve, which some send as a failure of their own: llama.cpp of a picture to a model without
// projector, for one.
func unsupported(message string) bool {
	for _, sign := range []string{"not supported", "unsupported", "not implemented", "does not support", "doesn't support", "not a multimodal model"} {
		if strings.Contains(message, sign) {
			return true
		}
	}
	return false
}

// tooLongForModel recognises the messages of servers about a prompt that is longer than the
// context window.
func tooLongForModel(message string) bool {
	for _, sign := range []string{"context_length_exceeded", "maximum context length", "exceed_context_size",
		"exceeds the available context", "longer than the maximum model length", "exceeds context length", "input length exceeds"} {
		if strings.Contains(message, sign) {
			return true
		}
	}
	return false
}

// errorMessage finds the message in the error bodies of Ollama ({"error":"…"}), OpenAI
// ({"error":{"message","type","code"}}) and others. It returns any other body unchanged.
func errorMessage(body []byte) string {
	var outer struct {
		Error   json.RawMessage `json:"error"`
		Message string          `json:"message"`
		Detail  any             `json:"detail"`
	}
	if json.Unmarshal(body, &outer) != nil {
		return string(body)
	}
	if message := ErrorText(outer.Error); message != "" {
		return message
	}
	switch {
	case outer.Message != "":
		return outer.Message
	case outer.Detail != nil:
		return fmt.Sprint(outer.Detail)
	}
	return string(body)
}

// ErrorText returns the whole text of an "error" member, a string or an object; "" if
// there is none.
func ErrorText(raw json.RawMessage) string {
	switch string(bytes.TrimSpace(raw)) {
	case "", "null", "false", "{}", "[]", "0": // servers write these where there was no error
		return ""
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var obj struct {
		Message string `json:"message"`
		Type    string `json:"type"`
		Code    any    `json:"code"`
	}
	if json.Unmarshal(raw, &obj) != nil || obj.Message == "" {
		return string(raw)
	}
	message := obj.Message
	if obj.Code != nil {
		message = fmt.Sprintf("%s (%v)", message, obj.Code)
	} else if obj.Type != "" {
		message = fmt.Sprintf("%s (%s)", message, obj.Type)
	}
	return message
}

// Excerpt shortens a text for an error message, on one line.
func Excerpt(text string) string {
	const most = 400
	s := strings.Join(strings.Fields(strings.ToValidUTF8(text[:min(len(text), 4*most)], "�")), " ")
	if s == "" {
		return "an empty body"
	}
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// retryAfter reads Retry-After: seconds, whole or fractional, or an HTTP date (RFC 9110
// §10.2.3). A date in the past means now. It returns at most an hour, since a wrong clock of
// the server must not stop a run for days.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	const most = time.Hour
	value := strings.TrimSpace(h.Get("Retry-After"))
	if value == "" {
		return 0, false
	}
	if seconds, err := strconv.ParseFloat(value, 64); err == nil {
		if !(seconds >= 0) {
			return 0, false
		}
		return time.Duration(min(seconds, most.Seconds()) * float64(time.Second)), true
	}
	date, err := http.ParseTime(value)
	if err != nil {
		return 0, false
	}
	return min(max(date.Sub(now), 0), most), true
}
