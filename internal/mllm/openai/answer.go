package openai

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/wire"
	"github.com/mllmrec/mllmrec/internal/secret"
)

// completion is a chat completion. Only its content must be of the documented types; a side
// field of another type is read as one that is not told, since the answer is paid for.
type completion struct {
	Model   wire.Word       `json:"model"`
	Error   json.RawMessage `json:"error"`
	Choices []choice        `json:"choices"`
	Usage   usage           `json:"usage"`
}

type choice struct {
	FinishReason wire.Word       `json:"finish_reason"`
	Details      ending          `json:"finish_details"`
	Native       wire.Word       `json:"native_finish_reason"`
	Error        json.RawMessage `json:"error"` // gateways put a failure of the model's own server here
	Message      struct {
		Content json.RawMessage `json:"content"` // string, null, or parts
		Refusal wire.Word       `json:"refusal"`
	} `json:"message"`
}

// ending is an older notation of the finish reason.
type ending struct{ Type wire.Word }

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (e *ending) UnmarshalJSON(raw []byte) error {
	var v struct {
		Type wire.Word `json:"type"`
	}
	if json.Unmarshal(raw, &v) == nil {
		e.Type = v.Type
	}
	return nil
}

type usage struct{ Prompt, Answer wire.Count }

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (u *usage) UnmarshalJSON(raw []byte) error {
	var v struct {
		Prompt wire.Count `json:"prompt_tokens"`
		Answer wire.Count `json:"completion_tokens"`
	}
	if json.Unmarshal(raw, &v) == nil {
		*u = usage{v.Prompt, v.Answer}
	}
	return nil
}

// ended returns the word for the end of the generation, wherever the server puts it.
func (c choice) ended() string {
	return string(cmp.Or(c.FinishReason, c.Details.Type, c.Native))
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
	resp := mllm.Response{Model: string(c.Model), PromptTokens: int(c.Usage.Prompt), AnswerTokens: int(c.Usage.Answer)}
	if text := wire.ErrorText(c.Error); text != "" {
		return resp, fail(mllm.Server, "%s", text)
	}
	if len(c.Choices) == 0 {
		return resp, fail(mllm.BadResponse, "the answer has no choices")
	}
	choice := c.Choices[0]
	resp.FinishReason = choice.ended()
	text, err := contentText(choice.Message.Content)
	if err != nil {
		return resp, err
	}
	resp.Text = text
	if text := wire.ErrorText(choice.Error); text != "" {
		return resp, fail(mllm.CutOff, "the server broke the answer off: %s", text)
	}
	class, why := mllm.Ending(resp.FinishReason)
	blank := strings.TrimSpace(text) == ""
	switch {
	case blank && choice.Message.Refusal != "":
		resp.Text = string(choice.Message.Refusal)
		return resp, fail(mllm.Refusal, "the model declined to answer")
	case class == mllm.CutOff && blank:
		return resp, fail(mllm.CutOff, "no text: %s", why)
	case class == mllm.CutOff: // for the checks of the text, which may find more
		return resp, nil
	case class != "":
		return resp, fail(class, "%s", why)
	case blank:
		return resp, fail(mllm.Empty, "the answer is empty")
	}
	return resp, nil
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
		Text wire.Word `json:"text"`
	}
	if err := json.Unmarshal(raw, &parts); err != nil {
		return "", fail(mllm.BadResponse, "the content of the answer is neither text nor text parts")
	}
	var b strings.Builder
	for _, p := range parts {
		b.WriteString(string(p.Text))
	}
	return secret.Redact(b.String()), nil // which the parts may hold together
}
