package mllm

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Budget stops a run. When it is used up, requests in flight finish and every further
// one fails with class OverBudget. What the requests in flight may cost (their longest
// answer, their prompt as estimated and a quarter more) is set aside for them, so the
// cost limit is overrun only by as much as prompts were estimated too low.
type Budget struct {
	MaxCost float64       // in the currency of Prices; 0 means no limit
	MaxTime time.Duration // since NewPool; 0 means no limit
	Prices  *PriceTable   // nil: nothing costs anything, and a MaxCost is refused
}

// overBudget returns the error that t fails with if the budget cannot bear it. p.mu is held.
func (p *Pool) overBudget(t *ticket, now time.Time) error {
	b := p.opt.Budget
	if b.MaxTime > 0 && now.Sub(p.started) >= b.MaxTime {
		return &Error{Class: OverBudget, Model: t.model, Err: usererr.New("every answer is kept; run the same command again to go on", "the time limit of %s is reached", b.MaxTime)}
	}
	if b.MaxCost > 0 && t.cost > b.MaxCost {
		return &Error{Class: OverBudget, Model: t.model, Err: usererr.New("raise the limit",
			"the cost limit of %g %s is too low: one request may cost %.4f", b.MaxCost, b.Prices.Currency, t.cost)}
	}
	if b.MaxCost > 0 && p.spent+t.cost > b.MaxCost {
		return &Error{Class: OverBudget, Model: t.model, Err: usererr.New("every answer paid for is kept; run the same command again to go on, with the limit counting anew",
			"the cost limit of %g %s is reached: %.4f is spent and the next request may cost %.4f", b.MaxCost, b.Prices.Currency, p.spent, t.cost)}
	}
	return nil
}

// mustWaitForBudget reports whether t fits only if requests in flight cost less than set
// aside for them. p.mu is held.
func (p *Pool) mustWaitForBudget(t *ticket) bool {
	b := p.opt.Budget
	return b.MaxCost > 0 && p.inFlight() > 0 && p.spent+p.reserved+t.cost > b.MaxCost
}

func (p *Pool) inFlight() int {
	n := 0
	for _, e := range p.endpoints {
		n += e.inFlight
	}
	return n
}

// Price is what a million tokens cost.
type Price struct {
	Input  float64 `yaml:"input"`
	Output float64 `yaml:"output"`
}

// PriceTable maps models to prices. A name that ends in * stands for all that begin so;
// an exact name wins over those, a longer beginning over a shorter.
type PriceTable struct {
	Currency string           `yaml:"currency"`
	AsOf     string           `yaml:"as_of"` // when the prices were looked up
	Models   map[string]Price `yaml:"models"`
}

//go:embed prices.yaml
var defaultPrices []byte

// DefaultPrices returns the table that comes with the program, to be checked and edited.
func DefaultPrices() *PriceTable {
	t, err := ParsePrices(defaultPrices, "prices.yaml")
	if err != nil {
		panic(err) // compiled in, and tested
	}
	return t
}

// DefaultPricesYAML returns the same table as a file to edit.
func DefaultPricesYAML() []byte { return bytes.Clone(defaultPrices) }

// LoadPrices reads a price table from a YAML file.
func LoadPrices(path string) (*PriceTable, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("read the price table: %w", err), "give the path of a YAML price table")
	}
	return ParsePrices(data, path)
}

// ParsePrices reads a price table; name is for messages.
func ParsePrices(data []byte, name string) (*PriceTable, error) {
	const hint = "a price table reads: currency: USD, then models: and for each name {input: …, output: …} per million tokens"
	var t PriceTable
	dec := yaml.NewDecoder(bytes.NewReader(data))
	dec.KnownFields(true)
	if err := dec.Decode(&t); err != nil && !errors.Is(err, io.EOF) {
		return nil, usererr.Wrap(fmt.Errorf("price table %s: %w", name, err), hint)
	}
	if t.Currency == "" || len(t.Models) == 0 {
		return nil, usererr.New(hint, "price table %s: no currency or no models", name)
	}
	for model, p := range t.Models {
		// Written so that NaN fails too.
		if !(p.Input >= 0 && p.Output >= 0 && p.Input < 1e9 && p.Output < 1e9) {
			return nil, usererr.New(hint, "price table %s: model %q: a price must be a number from 0 up", name, model)
		}
		if at := strings.IndexByte(model, '*'); at >= 0 && at != len(model)-1 {
			return nil, usererr.New(hint, "price table %s: model %q: * may only stand at the end", name, model)
		}
	}
	return &t, nil
}

// Cost returns what the tokens cost and whether the model has a price. A nil table
// prices everything at nothing.
func (t *PriceTable) Cost(model string, promptTokens, answerTokens int) (float64, bool) {
	if t == nil {
		return 0, true
	}
	p, ok := t.find(model)
	return (p.Input*float64(promptTokens) + p.Output*float64(answerTokens)) / 1e6, ok
}

func (t *PriceTable) find(model string) (Price, bool) {
	model = strings.ToLower(model)
	var best Price
	length := -1
	for name, p := range t.Models {
		name = strings.ToLower(name)
		if name == model {
			return p, true
		}
		if prefix, ok := strings.CutSuffix(name, "*"); ok && strings.HasPrefix(model, prefix) && len(prefix) > length {
			best, length = p, len(prefix)
		}
	}
	return best, length >= 0
}
