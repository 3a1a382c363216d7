package writer

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// server is one model that is reached through a client, with the options of its requests.
type server struct {
	client mllm.Client
	opt    Options
	info   mllm.ModelInfo
}

// connect asks the server which models it has, and checks the options against the answer.
func connect(ctx context.Context, client mllm.Client, opt Options) (*server, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	s := &server{client: client}
	known, err := client.Describe(ctx)
	// Some servers behind gateways answer questions but list no models.
	if err != nil && mllm.ClassOf(err) != mllm.NotFound {
		return nil, fmt.Errorf("ask %s for its models: %w", client.Endpoint(), err)
	}
	info, found := known.Find(opt.Model)
	s.info = info
	switch {
	case !found && known.Complete && known.Kind != "ollama":
		return nil, usererr.New("Name one that it lists. For a gateway that answers for models that it does not list, write #any-model=yes behind its address.",
			"%s does not have the model %q; it has: %s", client.Endpoint(), opt.Model, names(known.Models))
	case known.Kind == "ollama" && !found:
		return nil, usererr.New("Pull the model with Ollama (ollama pull "+opt.Model+"), or name one that the server has.", "%s does not have the model %q; it has: %s", client.Endpoint(), opt.Model, names(known.Models))
	case known.Kind == "openai" && opt.NumCtx != 0:
		return nil, usererr.New("Set the size of prompts instead; the context window is set where the server is started.",
			"an OpenAI-compatible server takes no context window (num_ctx)")
	}
	if known.Kind == "ollama" && opt.Extra != "" {
		return nil, usererr.New("Leave them out, or ask an OpenAI-compatible server.", "Ollama takes no further members of a request's body")
	}
	s.opt, err = opt.window(info.ContextLength)
	return s, err
}

func names(models []mllm.ModelInfo) string {
	if len(models) == 0 {
		return "none"
	}
	const most = 12
	var all []string
	for _, m := range models[:min(len(models), most)] {
		all = append(all, m.Name)
	}
	if n := len(models) - len(all); n > 0 {
		all = append(all, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(all, ", ")
}

// request returns the request that sends p, as it is on the first try.
func (s *server) request(p prompt.Prompt) mllm.Request {
	r := p.Request()
	r.Model, r.ModelDigest = s.opt.Model, s.info.Digest
	r.Think, r.Extra = s.opt.Think, s.opt.Extra
	r.Temperature, r.Seed, r.MaxTokens, r.NumCtx, r.Timeout = s.opt.Temperature, s.opt.Seed, s.opt.MaxTokens, s.opt.NumCtx, s.opt.Timeout
	return r
}

// ask sends p, after try tries that gave unusable answers, and checks the answer. Tokens
// and seconds are in the answer even when there is an error.
func (s *server) ask(ctx context.Context, p prompt.Prompt, try int) (texts.Answer, error) {
	r := check.ForRetry(s.request(p), try)
	resp, err := s.client.Generate(ctx, r)
	return s.judge(p, r, resp, err)
}

// judge makes the answer of a response to p, which was sent as r, and checks it.
func (s *server) judge(p prompt.Prompt, r mllm.Request, resp mllm.Response, err error) (texts.Answer, error) {
	resp.Text = check.Clean(resp.Text)
	a := texts.Answer{Text: resp.Text, Model: s.opt.Model, ModelDigest: resp.ModelDigest, Params: s.params(p, r), PromptHash: p.TemplateHash,
		PromptTokens: resp.PromptTokens, AnswerTokens: resp.AnswerTokens, Seconds: resp.Seconds, Attempt: max(resp.Attempts, 1), Finish: resp.FinishReason}
	if a.ModelDigest == "" {
		a.ModelDigest = s.info.Digest
	}
	if len(p.Images) > 0 {
		a.ImageHash = p.Images[0].SHA256
	}
	if err != nil {
		return a, err
	}
	judged := r
	if p.Conclusion != "" {
		// An answer may repeat the words of the conclusion before it.
		judged.Prompt = strings.Replace(r.Prompt, p.Conclusion, "", 1)
	}
	if class, why := check.Answer(judged, resp, framed(s.opt.rules(), r, p.Kind != prompt.Describe)); class != "" {
		return a, &mllm.Error{Class: class, Endpoint: resp.Endpoint, Model: s.opt.Model, Err: errors.New(why)}
	}
	return a, nil
}

// framed adds to rules what the request says in its own words, which no answer gives back.
// taste reports that it asks about a user's choices.
func framed(rules check.Rules, r mllm.Request, taste bool) check.Rules {
	system, _ := prompt.Frame(r.System)
	own, marks := prompt.Frame(r.Prompt)
	rules.Own, rules.Marks, rules.Taste = system+"\n"+own, marks, taste
	return rules
}

// params are the parameters of a request that are stored with its answer. Two runs that
// ask the same question must have the same parameters.
func (s *server) params(p prompt.Prompt, r mllm.Request) map[string]any {
	out := map[string]any{
		"temperature": r.Temperature, "seed": r.Seed, "max_tokens": r.MaxTokens, "words": s.opt.Limits.Words,
		"item_runes": s.opt.Limits.ItemRunes, "image_runes": s.opt.Limits.ImageRunes, "prompt_sha256": p.Hash(),
	}
	if s.opt.NumCtx != 0 {
		out["num_ctx"] = s.opt.NumCtx
	}
	if s.opt.Think != nil {
		out["think"] = *s.opt.Think
	}
	if s.opt.Extra != "" {
		out["extra"] = s.opt.Extra
	}
	if script := s.opt.Script.String(); script != "any" {
		out["script"] = script
	}
	return out
}

// wrapper is the number of tokens reserved for the chat template around the messages, as
// in package mllm.
const wrapper = 32

// Options returns the options with their defaults filled in.
func (s *server) Options() Options { return s.opt }
