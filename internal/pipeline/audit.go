package pipeline

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/audit"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// AuditOptions says how far an audit goes.
type AuditOptions struct {
	Measure string // "on", "off", "auto"
	Seed    uint64
}

// AuditReport is what audit prints.
type AuditReport struct {
	audit.Report
	Stored string     `json:"stored_provenance"` // what the workspace says of its vectors
	Leak   *LeakWorth `json:"leak_worth,omitempty"`
}

// LeakWorth compares a run on train-only texts with one that was shown everything,
// all else equal.
type LeakWorth struct {
	Model     string             `json:"model"`
	TrainOnly map[string]float64 `json:"train_only_test"`
	Leaky     map[string]float64 `json:"leaky_test"`
	Sentence  string             `json:"sentence"`
}

// Audit checks provenance where there is any, probes user vectors, and measures what
// a leak is worth.
func (p *Pipeline) Audit(ctx context.Context, opt AuditOptions) (*AuditReport, error) {
	measure, err := p.wantMeasure(opt.Measure)
	if err != nil {
		return nil, err
	}
	encoded, err := p.require(workspace.StageEncode, "encode")
	if err != nil {
		return nil, err
	}
	ds, err := p.WS.Dataset()
	if err != nil {
		return nil, err
	}
	var provenance *audit.ProvenanceResult
	if !p.Foreign() {
		texts, err := p.WS.UserTexts()
		if err != nil {
			return nil, err
		}
		res := audit.CheckProvenance(ds, texts)
		provenance = &res
	}
	probe, err := p.probe(ctx, ds, opt.Seed)
	if err != nil {
		return nil, err
	}
	rep := &AuditReport{Report: audit.NewReport(ds, provenance, probe), Stored: encoded.Provenance}
	if measure {
		if rep.Leak, err = p.measureLeak(ctx, ds, opt.Seed); err != nil {
			return nil, err
		}
	}
	return rep, nil
}

// probe asks of the vectors themselves, where users and items share a space.
func (p *Pipeline) probe(ctx context.Context, ds *dataset.Dataset, seed uint64) (*audit.ProbeResult, error) {
	items, users, _, err := p.Features()
	if err != nil {
		return nil, err
	}
	if items == nil || users == nil {
		return nil, nil
	}
	if items.Cols != users.Cols {
		return nil, usererr.New("Encode users and items by the same encoder.",
			"user vectors have %d dimensions and item vectors %d: they share no space to probe", users.Cols, items.Cols)
	}
	p.emit(Event{Stage: "audit", Message: fmt.Sprintf("probing %d user vectors", users.Rows)})
	res, err := audit.ProbeWith(ctx, users, items, ds, audit.Options{Seed: seed})
	if err != nil {
		return nil, fmt.Errorf("probe user vectors: %w", err)
	}
	return &res, nil
}

func (p *Pipeline) wantMeasure(mode string) (bool, error) {
	switch mode {
	case "off":
		return false, nil
	case "on":
		if p.Foreign() {
			return false, usererr.New("Use --measure off.", "cannot measure a leak on imported vectors: there are no texts to write anew")
		}
		if !p.freeTexts() {
			return false, usererr.New("Use --measure off, or run the leaky protocol on purpose in a second workspace: mllmrec run WS --history all.",
				"this workspace's preferences cost money or hours; audit does not write them anew behind your back")
		}
		return true, nil
	case "auto", "":
		return !p.Foreign() && p.freeTexts(), nil
	}
	return false, usererr.New("Use on, off or auto.", "unknown --measure %q", mode)
}
