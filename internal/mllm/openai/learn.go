package openai

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/mllm"
)

// Servers refuse members of a request that others want: newer models of OpenAI's max_tokens,
// reasoning models temperature and seed, strict gateways whatever they do not know. Where the
// refusal names the member, the client sends its requests without it from then on, and the
// user is told: what is left out is not in effect.

// refuses finds a refusal of a member rather than of its value.
var refuses = regexp.MustCompile(`(?i)unsupported|not support|unknown|unrecogni[sz]ed|unexpected|extra (input|field)|not permitted|not allowed|no such|does not exist|only the default|deprecated|instead`)

// learnt is what a client sends otherwise than its options say.
type learnt struct {
	otherLimit    bool // max_completion_tokens for max_tokens, or the other way round
	noTemperature bool
	noSeed        bool
}

// learn returns options under which the server may take the request that it refused with err,
// and in words what they change; false where the refusal names nothing that can be changed.
func learn(opt BodyOptions, err error) (BodyOptions, string, bool) {
	var e *mllm.Error
	if !errors.As(err, &e) || e.Class != mllm.Refused || e.Status != 400 && e.Status != 422 {
		return opt, "", false
	}
	said := e.Err.Error()
	if !refuses.MatchString(said) {
		return opt, "", false
	}
	names := func(member string) bool { return regexp.MustCompile(`(?i)\b` + member + `\b`).MatchString(said) }
	limit, other := "max_tokens", "max_completion_tokens"
	if opt.CompletionTokens {
		limit, other = other, limit
	}
	switch {
	case names(limit) && !opt.learnt.otherLimit:
		opt.learnt.otherLimit = true
		return opt, "the limit of an answer is sent as " + other, true
	case names("temperature") && !opt.OmitSampling && !opt.learnt.noTemperature:
		opt.learnt.noTemperature = true
		return opt, "temperature is left out: the server's own holds", true
	case names("seed") && !opt.OmitSampling && !opt.learnt.noSeed:
		opt.learnt.noSeed = true
		return opt, "seed is left out: the server draws as it likes", true
	}
	return opt, "", false
}

// adapt changes the client's requests after a refusal, and reports whether the request is
// worth sending again. used are the options that the refused request was made with: another
// request may have taught the client since.
func (c *Client) adapt(used BodyOptions, err error) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if used.learnt != c.cfg.Body.learnt {
		return true
	}
	opt, change, ok := learn(used, err)
	if !ok {
		return false
	}
	c.cfg.Body = opt
	c.notes = append(c.notes, fmt.Sprintf("%s refuses part of a request (%s): from now on %s", c.Endpoint(), strings.TrimSpace(errors.Unwrap(err).Error()), change))
	return true
}

// bodyOptions are those of the next request.
func (c *Client) bodyOptions() BodyOptions {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cfg.Body
}

// Notes says what the client learnt of its server.
func (c *Client) Notes() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.notes)
}
