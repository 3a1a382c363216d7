package writer

import (
	"errors"
	"maps"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
)

// SingleRequest is a question that is one request, prepared to be sent without the client,
// such as in a file for a batch service.
type SingleRequest struct {
	Request mllm.Request
	Answer  texts.Answer // model, parameters and hashes to store; Receive adds the text
}

// SingleRequest returns the request that Describe sends for r.
func (d *Describer) SingleRequest(r texts.DescribeRequest) (SingleRequest, error) {
	p, err := d.Prompt(r)
	if err != nil {
		return SingleRequest{}, err
	}
	return d.singleRequest(p, r.Attempt, nil), nil
}

// SingleRequest returns the request that Reason sends for req. ok is false if Reason would
// send more than one, because the history is read in parts.
func (r *Reasoner) SingleRequest(req texts.ReasonRequest) (a SingleRequest, ok bool, err error) {
	p, steps, err := r.Prompts(req)
	if err != nil || steps != 1 {
		return SingleRequest{}, false, err
	}
	from, n := r.FirstShown(req), len(req.Items)
	mode := "whole"
	if from > 0 {
		mode = string(Latest)
	}
	how := map[string]any{"history": mode, "shown": n - from, "dropped": from, "first_shown": from, "steps": 1}
	if from > 0 {
		how["window"] = r.opt.Window
	}
	return r.singleRequest(p, req.Attempt, how), true, nil
}

func (s *server) singleRequest(p prompt.Prompt, attempt int, how map[string]any) SingleRequest {
	r := check.ForRetry(s.request(p), max(attempt, 1)-1)
	params := s.params(p, r)
	maps.Copy(params, how)
	a := SingleRequest{Request: r, Answer: texts.Answer{Model: s.opt.Model, ModelDigest: s.info.Digest, Params: params, PromptHash: p.TemplateHash}}
	if len(p.Images) > 0 {
		a.Answer.ImageHash = p.Images[0].SHA256
	}
	return a
}

// Receive makes the answer of the response to a, or of the error that came in its place,
// and checks it by rules. An error is an *mllm.Error.
func (a SingleRequest) Receive(resp mllm.Response, err error, rules check.Rules) (texts.Answer, error) {
	out := a.Answer
	resp.Text = check.Clean(resp.Text)
	out.Text, out.Finish = resp.Text, resp.FinishReason
	out.PromptTokens, out.AnswerTokens, out.Seconds, out.Attempt = resp.PromptTokens, resp.AnswerTokens, resp.Seconds, 1
	if err != nil {
		return out, err
	}
	if class, why := check.Answer(a.Request, resp, framed(rules, a.Request, a.Answer.ImageHash == "")); class != "" {
		return out, &mllm.Error{Class: class, Endpoint: resp.Endpoint, Model: out.Model, Err: errors.New(why)}
	}
	return out, nil
}
