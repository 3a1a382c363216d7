package writer

import (
	"fmt"
	"iter"
	"math"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Rates say what tokens cost and how fast they are processed. The zero value of each field
// but TokensPerSecond means its default.
type Rates struct {
	Prices *mllm.PriceTable // nil = mllm.DefaultPrices()
	Local  bool             // the model runs on the user's own machines and costs nothing, whatever the table says
	// TokensPerSecond is how fast the answer to one request is generated while Concurrency
	// requests are in flight; 0 = unknown: no time is estimated.
	TokensPerSecond float64
	// PromptTokensPerSecond is how fast the prompt of one request is read; 0 = twenty times
	// TokensPerSecond, which is typical of servers.
	PromptTokensPerSecond float64
	Concurrency           int // 0 = 1
}

func (r Rates) withDefaults() (Rates, error) {
	if r.Prices == nil {
		r.Prices = mllm.DefaultPrices()
	}
	if r.Concurrency == 0 {
		r.Concurrency = 1
	}
	if r.PromptTokensPerSecond == 0 {
		r.PromptTokensPerSecond = 20 * r.TokensPerSecond
	}
	for _, x := range []float64{r.TokensPerSecond, r.PromptTokensPerSecond, float64(r.Concurrency)} {
		if !(x >= 0) || math.IsInf(x, 0) {
			return r, usererr.New("Use positive numbers.", "the rates of the estimate: %v", x)
		}
	}
	return r, nil
}

// Estimate is what a stage takes if every request is answered at the first try.
type Estimate struct {
	Model        string `json:"model"`
	Requests     int    `json:"requests"` // items or preferences
	Calls        int    `json:"calls"`    // of the server; more than Requests where histories are read in parts
	PromptTokens int64  `json:"prompt_tokens"`
	ImageTokens  int64  `json:"image_tokens"` // beside PromptTokens
	AnswerTokens int64  `json:"answer_tokens"`
	// AnswerTokensMost is the number of tokens if every answer reaches its limit.
	AnswerTokensMost int64 `json:"answer_tokens_most"`

	Recurrent    int `json:"recurrent"`     // histories read in parts
	Shortened    int `json:"shortened"`     // histories of which only the latest items are shown
	ItemsDropped int `json:"items_dropped"` // items left out of those

	Currency    string  `json:"currency"`
	Cost        float64 `json:"cost"`
	CostMost    float64 `json:"cost_most"`
	Priced      bool    `json:"priced"`       // false: the model has no price, and Cost is meaningless
	PicturesOK  bool    `json:"pictures_ok"`  // false: the tokens of a picture are a guess
	Hours       float64 `json:"hours"`        // 0 if no rate was given
	Concurrency int     `json:"concurrency"`  // that Hours assumes
	PricesAsOf  string  `json:"prices_as_of"` // prices change: check them
}

// tokensPerWord assumes that an answer is as long as its limit of words allows.
const tokensPerWord = 4.0 / 3

// EstimateDescribe estimates what the descriptions requested take. It needs neither the
// pictures nor a server: each request counts as one picture.
func EstimateDescribe(opt Options, requests iter.Seq[texts.DescribeRequest], rates Rates) (Estimate, error) {
	c, err := newCount(opt, rates)
	if err != nil {
		return Estimate{}, err
	}
	for r := range requests {
		p, err := c.opt.Prompts.Describe(r, c.opt.Limits)
		if err != nil {
			return Estimate{}, err
		}
		c.Requests++
		c.call(messageTokens(p), true)
	}
	return c.total(), nil
}

// EstimateReason estimates what the preferences requested take. It needs no server.
func EstimateReason(opt Options, requests iter.Seq[texts.ReasonRequest], rates Rates) (Estimate, error) {
	c, err := newCount(opt, rates)
	if err != nil {
		return Estimate{}, err
	}
	if err := c.opt.checkWindow(); err != nil {
		return Estimate{}, err
	}
	for r := range requests {
		if len(r.Items) == 0 {
			continue // no model is asked
		}
		if err := c.history(r); err != nil {
			return Estimate{}, fmt.Errorf("estimate the preference of user %q: %w", r.User, err)
		}
	}
	return c.total(), nil
}

// count adds up an estimate.
type count struct {
	Estimate
	opt       Options
	known     measures
	rates     Rates
	perImage  int
	perAnswer int64
}

func newCount(opt Options, rates Rates) (*count, error) {
	opt, err := opt.withDefaults()
	if err != nil {
		return nil, err
	}
	if opt, err = opt.window(0); err != nil {
		return nil, err
	}
	if rates, err = rates.withDefaults(); err != nil {
		return nil, err
	}
	c := &count{opt: opt, rates: rates, perAnswer: int64(min(ceil(tokensPerWord*float64(opt.Limits.Words)), opt.MaxTokens))}
	c.Model, c.Currency, c.PricesAsOf, c.Concurrency = opt.Model, rates.Prices.Currency, rates.Prices.AsOf, rates.Concurrency
	c.perImage, c.PicturesOK = rates.Prices.PictureTokens(opt.Model)
	return c, nil
}

func (c *count) history(r texts.ReasonRequest) error {
	f, err := newFitter(c.opt, r, &c.known)
	if err != nil {
		return err
	}
	from, err := f.from()
	if err != nil {
		return err
	}
	c.Requests++
	if from > 0 {
		c.Shortened++
		c.ItemsDropped += from
	}
	sizes := []int{len(r.Items) - from}
	if c.opt.History == Recurrent {
		if sizes, err = f.parts(0, ""); err != nil {
			return err
		}
	}
	if len(sizes) > 1 {
		c.Recurrent++
	}
	for i, size := range sizes {
		tokens := f.first
		if i > 0 {
			tokens = f.next + int(c.perAnswer)
		}
		for _, cost := range f.costs[from : from+size] {
			tokens += cost
		}
		from += size
		c.call(tokens, false)
	}
	return nil
}

func (c *count) call(textTokens int, picture bool) {
	c.Calls++
	c.PromptTokens += int64(textTokens + wrapper)
	c.AnswerTokens += c.perAnswer
	c.AnswerTokensMost += int64(c.opt.MaxTokens)
	if picture {
		c.ImageTokens += int64(c.perImage)
	}
}

func (c *count) total() Estimate {
	e := c.Estimate
	prompt := e.PromptTokens + e.ImageTokens
	e.Cost, e.Priced = c.rates.Prices.Cost(e.Model, int(prompt), int(e.AnswerTokens))
	e.CostMost, _ = c.rates.Prices.Cost(e.Model, int(prompt), int(e.AnswerTokensMost))
	if c.rates.Local {
		e.Cost, e.CostMost, e.Priced = 0, 0, true
	}
	if c.rates.TokensPerSecond > 0 {
		seconds := float64(prompt)/c.rates.PromptTokensPerSecond + float64(e.AnswerTokens)/c.rates.TokensPerSecond
		e.Hours = seconds / float64(c.rates.Concurrency) / 3600
	}
	return e
}
