package writer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// ConclusionStore keeps the conclusions drawn from parts of histories, by a SHA-256 of all
// that determines them. It is safe for concurrent use.
type ConclusionStore interface {
	Conclusion(ctx context.Context, key string) (a texts.Answer, known bool, err error)
	PutConclusion(ctx context.Context, key string, r texts.ReasonRequest, a texts.Answer) error
}

// Reasoner asks a model for preferences (Eq. 3–4). It is safe for concurrent use.
type Reasoner struct {
	*server
	base, id string
	known    measures
}

var (
	_ texts.Reasoner          = (*Reasoner)(nil)
	_ texts.RequestIdentifier = (*Reasoner)(nil)
	_ texts.HistoryTruncator  = (*Reasoner)(nil)
	_ ConclusionStore         = texts.StoredConclusions{}
)

// NewReasoner asks the server about the model and returns a Reasoner.
func NewReasoner(ctx context.Context, client mllm.Client, opt Options) (*Reasoner, error) {
	s, err := connect(ctx, client, opt)
	if err != nil {
		return nil, err
	}
	if err := s.opt.checkWindow(); err != nil {
		return nil, err
	}
	r := &Reasoner{server: s, base: s.opt.id(s.info.Digest, s.opt.Prompts.Hash(prompt.Preference))}
	r.id = fmt.Sprintf("%s window=%d history=%s", r.base, s.opt.Window, s.opt.History)
	if s.opt.History == Latest {
		r.id += fmt.Sprintf(" latest=%d", s.opt.LatestN)
	} else {
		r.id += fmt.Sprintf(" continue=%s step_tries=%d", s.opt.Prompts.Hash(prompt.Continue), s.opt.PartTries)
	}
	return r, nil
}

// ID names the model and its digest, the parameters, the hashes of the templates, and what
// is done with long histories.
func (r *Reasoner) ID() string { return r.id }

// RequestID names what determines the answer to one request, apart from the request. For a
// history that fits the window that is less than ID names: its answer stays valid when the
// window or the template for further parts changes.
func (r *Reasoner) RequestID(req texts.ReasonRequest) string {
	over, err := r.known.overhead(r.opt, req.Domain)
	if err != nil || len(req.Items) == 0 {
		return r.id
	}
	whole := r.base + " history=whole"
	if surelyWhole(r.opt, req, over) {
		return whole
	}
	f, err := newFitter(r.opt, req, &r.known)
	if err != nil {
		return r.id
	}
	if from, err := f.from(); err != nil || from > 0 {
		return r.id
	}
	if sizes, err := f.parts(0, ""); err != nil || len(sizes) > 1 {
		return r.id
	}
	return whole
}

// FirstShown returns the position of the first item of the history that the model is shown.
// It is above 0 with [Latest] only. The parameter first_shown of an answer is this number.
func (r *Reasoner) FirstShown(req texts.ReasonRequest) int {
	if r.opt.History != Latest {
		return 0
	}
	over, err := r.known.overhead(r.opt, req.Domain)
	if err != nil || surelyWhole(r.opt, req, over) {
		return 0
	}
	f, err := newFitter(r.opt, req, &r.known)
	if err != nil {
		return 0
	}
	from, err := f.from()
	if err != nil {
		return 0
	}
	return from
}

// Reason asks for the preference of one user: in one request if the history fits the
// window, else as Options.History says. An Attempt above 1 changes seed and temperature as
// in [Describer.Describe], and so does every further try of one part. An answer that fails
// the checks is an *mllm.Error with its class.
//
// Answer.Params says how the history was read: history (whole, recurrent or latest), shown,
// dropped, first_shown, steps (the number of parts). Tokens, seconds and attempts are sums
// over all parts and tries, without those of conclusions in Options.Conclusions, which are
// stored with them.
func (r *Reasoner) Reason(ctx context.Context, req texts.ReasonRequest) (texts.Answer, error) {
	if len(req.Items) == 0 {
		return texts.Answer{}, fmt.Errorf("preference of user %q: no items", req.User)
	}
	f, err := newFitter(r.opt, req, &r.known)
	if err != nil {
		return texts.Answer{}, err
	}
	one := &reading{r: r, req: req, f: f}
	if err := one.read(ctx); err != nil {
		return one.answer, fmt.Errorf("preference of user %q: %w", req.User, err)
	}
	return one.answer, nil
}

// reading is the state of reasoning about one history.
type reading struct {
	r      *Reasoner
	req    texts.ReasonRequest
	f      *fitter
	answer texts.Answer // the latest; its tokens, seconds and attempts are sums, without those of stored conclusions
	steps  int          // parts asked about so far
}

func (d *reading) read(ctx context.Context) error {
	if d.r.opt.History == Latest {
		return d.latest(ctx)
	}
	n := len(d.req.Items)
	conclusion := ""
	for pos := 0; pos < n; {
		sizes, err := d.f.parts(pos, conclusion)
		if err != nil {
			return err
		}
		end := pos + sizes[0]
		p, err := d.prompt(pos, end, conclusion)
		if err != nil {
			return err
		}
		err = d.askPart(ctx, p, pos == 0 && end == n, end < n)
		if mllm.ClassOf(err) == mllm.PromptCut && end-pos > 1 && d.f.cut() {
			continue
		}
		if err != nil {
			if n > end-pos {
				err = fmt.Errorf("items %d to %d of %d: %w", pos+1, end, n, err)
			}
			return err
		}
		conclusion, pos = d.answer.Text, end
		d.steps++
	}
	mode := "whole"
	if d.steps > 1 {
		mode = string(Recurrent)
		d.answer.PromptHash = recurrentHash(d.r.opt.Prompts)
	}
	d.noteHistory(mode, 0)
	return nil
}

// latest sends one request, about the latest items. If the server finds the prompt too
// long, it is not sent again with fewer items: the items shown are stored as the sources of
// the answer, and they were determined before the request.
func (d *reading) latest(ctx context.Context) error {
	from, err := d.f.from()
	if err != nil {
		return err
	}
	p, err := d.r.opt.Prompts.Latest(d.req, from, d.r.opt.Limits)
	if err != nil {
		return err
	}
	d.steps = 1
	err = d.askPart(ctx, p, true, false)
	mode := string(Latest)
	if from == 0 {
		mode = "whole"
	}
	d.noteHistory(mode, from)
	if mllm.ClassOf(err) == mllm.PromptCut {
		err = usererr.Wrap(err, "Name the context window that the model really has or a smaller one, or show fewer items.")
	}
	return err
}

// noteHistory records in the answer's parameters how the history was read.
func (d *reading) noteHistory(mode string, from int) {
	if d.answer.Params == nil {
		return
	}
	n := len(d.req.Items)
	d.answer.Params = maps.Clone(d.answer.Params)
	maps.Copy(d.answer.Params, map[string]any{"history": mode, "shown": n - from, "dropped": from, "first_shown": from, "steps": d.steps})
	if mode != "whole" {
		d.answer.Params["window"] = d.r.opt.Window
	}
}

func (d *reading) prompt(begin, end int, conclusion string) (prompt.Prompt, error) {
	if begin == 0 {
		return d.r.opt.Prompts.Preference(d.req, end, d.r.opt.Limits)
	}
	return d.r.opt.Prompts.Continue(d.req, conclusion, begin, end, d.r.opt.Limits)
}

// askPart sends the prompt about one part of a history. If it is the only part, it is sent
// once, since the caller retries; one of several parts is retried here, since failing would
// lose the answers about the others. Conclusions of all parts but the last are stored.
func (d *reading) askPart(ctx context.Context, p prompt.Prompt, only, between bool) error {
	tries := 1
	if !only {
		tries = d.r.opt.PartTries
	}
	key := ""
	if between && d.r.opt.Conclusions != nil {
		key = d.r.conclusionKey(p)
		a, known, err := d.r.opt.Conclusions.Conclusion(ctx, key)
		if err != nil {
			return fmt.Errorf("look up a conclusion: %w", err)
		}
		if known {
			d.addPart(p, a, true)
			return nil
		}
	}
	first := (max(d.req.Attempt, 1) - 1) * tries
	var spent texts.Answer
	for try := 0; ; try++ {
		a, err := d.r.ask(ctx, p, first+try)
		spent = sum(spent, a)
		if err == nil && key != "" {
			if err := d.r.opt.Conclusions.PutConclusion(ctx, key, d.req, spent); err != nil {
				return fmt.Errorf("keep a conclusion: %w", err)
			}
		}
		if err == nil || try+1 >= tries || !mllm.ClassOf(err).Answer() || ctx.Err() != nil {
			d.addPart(p, spent, err == nil && key != "")
			return err
		}
	}
}

// addPart makes a the answer so far. The tokens and seconds of a stored conclusion are not
// counted again.
func (d *reading) addPart(p prompt.Prompt, a texts.Answer, kept bool) {
	if a.Attempt == 1 { // the tokens of one request
		d.f.observe(p, a.PromptTokens)
	}
	if kept {
		a.PromptTokens, a.AnswerTokens, a.Seconds, a.Attempt = 0, 0, 0, 0
	}
	d.answer = sum(d.answer, a)
}

// sum returns b with the tokens, seconds and attempts of a added.
func sum(a, b texts.Answer) texts.Answer {
	b.PromptTokens += a.PromptTokens
	b.AnswerTokens += a.AnswerTokens
	b.Seconds += a.Seconds
	b.Attempt += a.Attempt
	return b
}

// conclusionKey names all that determines a conclusion but the seed: the first accepted
// answer is stored, whichever try gave it.
func (r *Reasoner) conclusionKey(p prompt.Prompt) string {
	h := sha256.Sum256(fmt.Appendf(nil, "step\n%s\n%s", r.base, p.Hash()))
	return hex.EncodeToString(h[:])
}

// Prompts returns what Reason sends for the request, as far as it is known beforehand: the
// only prompt or that of the first part, and the number of parts planned.
func (r *Reasoner) Prompts(req texts.ReasonRequest) (first prompt.Prompt, steps int, err error) {
	f, err := newFitter(r.opt, req, &r.known)
	if err != nil {
		return prompt.Prompt{}, 0, err
	}
	if r.opt.History == Latest {
		from, err := f.from()
		if err != nil {
			return prompt.Prompt{}, 0, err
		}
		first, err = r.opt.Prompts.Latest(req, from, r.opt.Limits)
		return first, 1, err
	}
	sizes, err := f.parts(0, "")
	if err != nil {
		return prompt.Prompt{}, 0, err
	}
	first, err = r.opt.Prompts.Preference(req, sizes[0], r.opt.Limits)
	return first, len(sizes), err
}

// recurrentHash is the prompt hash of an answer from several parts. It covers both templates.
func recurrentHash(s *prompt.Set) string {
	h := sha256.Sum256([]byte(s.Hash(prompt.Preference) + s.Hash(prompt.Continue)))
	return hex.EncodeToString(h[:])
}
