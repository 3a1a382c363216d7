package writer

import (
	"fmt"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
)

// Batch services answer files of requests. The methods here give the request that
// Describe or Reason would send, and make of a response what they would return.

// BatchRequest returns the request that Describe sends for r.
func (d *Describer) BatchRequest(r texts.DescribeRequest) (mllm.Request, error) {
	p, err := d.Prompt(r)
	if err != nil {
		return mllm.Request{}, err
	}
	if len(p.Images) == 0 {
		return mllm.Request{}, fmt.Errorf("describe item %q: it has no picture", r.Item.ID)
	}
	return d.varied(p, r.Attempt), nil
}

// BatchAnswer judges the response to BatchRequest of the same r; err is the error that
// came in its place, if any.
func (d *Describer) BatchAnswer(r texts.DescribeRequest, resp mllm.Response, err error) (texts.Answer, error) {
	p, promptErr := d.Prompt(r)
	if promptErr != nil {
		return texts.Answer{}, promptErr
	}
	a, err := d.judge(p, d.varied(p, r.Attempt), resp, err)
	if err != nil {
		return a, fmt.Errorf("describe item %q: %w", r.Item.ID, err)
	}
	return a, nil
}

// BatchRequest returns the request that Reason sends for req. A history that is read in
// parts needs an answer before the next question: it has no such request, and ok is false.
func (r *Reasoner) BatchRequest(req texts.ReasonRequest) (out mllm.Request, ok bool, err error) {
	p, steps, err := r.Prompts(req)
	if err != nil || steps != 1 {
		return mllm.Request{}, false, err
	}
	return r.varied(p, req.Attempt), true, nil
}

// BatchAnswer judges the response to BatchRequest of the same req, as for a [Describer].
func (r *Reasoner) BatchAnswer(req texts.ReasonRequest, resp mllm.Response, err error) (texts.Answer, error) {
	p, steps, promptErr := r.Prompts(req)
	if promptErr != nil {
		return texts.Answer{}, promptErr
	}
	if steps != 1 {
		return texts.Answer{}, fmt.Errorf("preference of user %q: an answer from a batch to a history that is read in %d parts", req.User, steps)
	}
	one := reading{r: r, req: req, steps: 1}
	one.answer, err = r.judge(p, r.varied(p, req.Attempt), resp, err)
	if from := r.FirstShown(req); from > 0 {
		one.noteHistory(string(Latest), from)
	} else {
		one.noteHistory("whole", 0)
	}
	if err != nil {
		return one.answer, fmt.Errorf("preference of user %q: %w", req.User, err)
	}
	return one.answer, nil
}

// varied returns the request that sends p at the given attempt, counted from 1.
func (s *server) varied(p prompt.Prompt, attempt int) mllm.Request {
	return check.ForRetry(s.request(p), max(attempt, 1)-1)
}
