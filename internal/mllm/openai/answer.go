package openai

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/wire"
	"github.com/mllmrec/mllmrec/internal/secret"
)

type completion struct {
	Model   string          `json:"model"`
	Error   json.RawMessage `json:"error"`
	Choices []struct {
		FinishReason string `json:"finish_reason"`
		Message      struct {
			Content json.RawMessage `json:"content"` // string, null, or parts
			Refusal string          `json:"refusal"`
		} `json:"message"`
	} `json:"choices"`
	Usage struct {
		PromptTokens     int `json:"prompt_tokens"`
		CompletionTokens int `json:"completion_tokens"`
	} `json:"usage"`
}

// ParseCompletion reads the body of a chat completion, from the server's answer or from a
// batch file. The error is an *mllm.Error without an endpoint; the Response is
// filled as far as the body goes.
func ParseCompletion(data []byte) (mllm.Response, error) {
	var out completion
	if err := json.Unmarshal(data, &out); err != nil {
		return mllm.Response{}, fail(mllm.BadResponse, "not a chat completion: %v", err)
	}
	resp, err := out.response()
	if e := (*mllm.Error)(nil); errors.As(err, &e) {
		e.Err = errors.New(wire.Excerpt(e.Err.Error()))
	}
	return resp, err
}

// StatusError makes an error of a failed request in a batch file: of its HTTP status and the
// body that came with it.
func StatusError(status int, body []byte) *mllm.Error {
	e := wire.StatusError(status, body, mllm.Key{})
	e.Endpoint = "batch"
	return e
}

func fail(class mllm.Class, format string, args ...any) *mllm.Error {
	return &mllm.Error{Class: class, Err: fmt.Errorf(format, args...)}
}

func (c completion) response() (mllm.Response, error) {
	resp := mllm.Response{Model: c.Model, PromptTokens: c.Usage.PromptTokens, AnswerTokens: c.Usage.CompletionTokens}
	if text := wire.ErrorText(c.Error); text != "" {
		return resp, fail(mllm.Server, "%s", text)
	}
	if len(c.Choices) == 0 {
		return resp, fail(mllm.BadResponse, "the answer has no choices")
	}
	choice := c.Choices[0]
	resp.FinishReason = choice.FinishReason
	text, err := contentText(choice.Message.Content)
	if err != nil {
		return resp, err
	}
	resp.Text = text
	switch {
	case choice.FinishReason == "content_filter":
		return resp, fail(mllm.Refused, "the server's content filter withheld the answer")
	case strings.TrimSpace(text) != "":
		return resp, nil
	case choice.Message.Refusal != "":
		resp.Text = choice.Message.Refusal
		return resp, fail(mllm.Refusal, "the model declined to answer")
	case choice.FinishReason == "length":
		return resp, fail(mllm.CutOff, "the token limit was reached before any text")
	}
	return resp, fail(mllm.Empty, "the answer is empty")
}

// contentText accepts a string, null, or a list of text parts.
func contentText(raw json.RawMessage) (string, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text, nil
	}
	var parts []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return "", fail(mllm.BadResponse, "the content of the answer is neither text nor text parts")
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(p.Text)
	}
	return secret.Redact(b.String()), nil // which the parts may hold together
}
