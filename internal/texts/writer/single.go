package writer

import (
	"errors"
	"maps"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
)

// Apart is one question to be sent by other ways than through the client, such as a
// file for a batch service, with what is to be stored of its answer.
type SingleRequest struct {
	Request mllm.Request
	Answer  texts.Answer // model, parameters, hashes; no text yet
}

// Apart returns the question about r as the client would send it.
func (d *Describer) SingleRequest(r texts.DescribeRequest) (SingleRequest, error) {
	p, err := d.Prompt(r)
	if err != nil {
		return SingleRequest{}, err
	}
	return d.singleRequest(p, r.Attempt, nil), nil
}

// Apart returns the question about r; ok is false if there is no single one, because the
// history is read in parts.
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

// Receive judges the response to a question that was sent apart, by the rules of an
// answer of so many words in the given script. An error is an *mllm.Error.
func (a SingleRequest) Receive(resp mllm.Response, err error, rules check.Rules) (texts.Answer, error) {
	out := a.Answer
	resp.Text = check.Clean(resp.Text)
	out.Text, out.Finish = resp.Text, resp.FinishReason
	out.PromptTokens, out.AnswerTokens, out.Seconds, out.Attempt = resp.PromptTokens, resp.AnswerTokens, resp.Seconds, 1
	if err != nil {
		return out, err
	}
	if class, why := check.Answer(a.Request, resp, rules); class != "" {
		return out, &mllm.Error{Class: class, Endpoint: resp.Endpoint, Model: out.Model, Err: errors.New(why)}
	}
	return out, nil
}
