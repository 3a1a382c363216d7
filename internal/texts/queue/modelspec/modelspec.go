// Package modelspec writes and reads the specs by which a coordinator of package queue tells
// workers which model, parameters and prompts to use. From a spec and its own servers and
// keys, a worker makes the describer or reasoner whose ID the coordinator made its keys
// from. A spec holds prompt templates as text, and no address, path or secret.
package modelspec

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
)

// spec is the JSON form of writer.Options with all defaults filled in.
type spec struct {
	Model       string                 `json:"model"`
	Temperature float64                `json:"temperature"`
	Seed        int64                  `json:"seed"`
	MaxTokens   int                    `json:"max_tokens"`
	NumCtx      int                    `json:"num_ctx,omitempty"`
	Think       *bool                  `json:"think,omitempty"`
	Extra       string                 `json:"extra,omitempty"`
	Script      string                 `json:"script"`
	Words       int                    `json:"words"`
	ItemRunes   int                    `json:"item_runes"`
	ImageRunes  int                    `json:"image_runes"`
	Window      int                    `json:"window"`
	History     string                 `json:"history"`
	LatestN     int                    `json:"latest_n,omitempty"`
	StepTries   int                    `json:"step_tries"`
	Templates   map[prompt.Kind]string `json:"templates"`
}

// Of writes the spec of a describer or reasoner from its options, with their defaults filled
// in: those that the method Options of writer.Describer and writer.Reasoner returns. The
// timeout is not part of a spec, since each worker has its own.
func Of(opt writer.Options) (json.RawMessage, error) {
	s := spec{opt.Model, opt.Temperature, opt.Seed, opt.MaxTokens, opt.NumCtx, opt.Think, opt.Extra, opt.Script.String(),
		opt.Limits.Words, opt.Limits.ItemRunes, opt.Limits.ImageRunes, opt.Window, string(opt.History), opt.LatestN, opt.PartTries, map[prompt.Kind]string{}}
	if opt.Prompts != nil {
		for _, kind := range prompt.Kinds() {
			s.Templates[kind] = opt.Prompts.Text(kind)
		}
	}
	raw, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("describe the model to workers: %w", err)
	}
	return raw, nil
}

// Options reads a spec. Unknown settings, from a newer program, are an error.
func Options(raw json.RawMessage) (writer.Options, error) {
	var s spec
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&s); err != nil {
		return writer.Options{}, fmt.Errorf("read what model is requested: %w", err)
	}
	script, err := check.ParseScript(s.Script)
	if err != nil {
		return writer.Options{}, fmt.Errorf("read what model is requested: %w", err)
	}
	prompts, err := prompt.Parse(s.Templates)
	if err != nil {
		return writer.Options{}, fmt.Errorf("read what model is requested: %w", err)
	}
	return writer.Options{
		Model: s.Model, Prompts: prompts, Limits: prompt.Options{Words: s.Words, ItemRunes: s.ItemRunes, ImageRunes: s.ImageRunes},
		Temperature: s.Temperature, Seed: s.Seed, MaxTokens: s.MaxTokens, NumCtx: s.NumCtx, Think: s.Think, Extra: s.Extra, Script: script,
		Window: s.Window, History: writer.History(s.History), LatestN: s.LatestN, PartTries: s.StepTries,
	}, nil
}

// Describers returns a function, for queue.WorkerOptions, that makes describers which ask
// client. timeout bounds one
// request; 0 = the client's own.
func Describers(client mllm.Client, timeout time.Duration) func(context.Context, json.RawMessage, texts.Store) (texts.Describer, error) {
	return func(ctx context.Context, raw json.RawMessage, _ texts.Store) (texts.Describer, error) {
		opt, err := Options(raw)
		if err != nil {
			return nil, err
		}
		opt.Timeout = timeout
		d, err := writer.NewDescriber(ctx, client, opt)
		if err != nil {
			return nil, err // not a nil *Describer in an interface
		}
		return d, nil
	}
}

// Reasoners returns a function, for queue.WorkerOptions, that makes reasoners which ask
// client. Conclusions from parts of long histories are stored in the ledger.
func Reasoners(client mllm.Client, timeout time.Duration) func(context.Context, json.RawMessage, texts.Store) (texts.Reasoner, error) {
	return func(ctx context.Context, raw json.RawMessage, store texts.Store) (texts.Reasoner, error) {
		opt, err := Options(raw)
		if err != nil {
			return nil, err
		}
		opt.Timeout, opt.Conclusions = timeout, texts.StoredConclusions{Store: store}
		opt.LongestItem = 1 // the coordinator, who knows the catalogue, has checked the window
		r, err := writer.NewReasoner(ctx, client, opt)
		if err != nil {
			return nil, err
		}
		return r, nil
	}
}
