// Package auditing checks a workspace for leaks: provenance where there is any, a probe of
// user vectors, and what a leak would be worth.
package auditing

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/audit"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Options say how far an audit goes.
type Options struct {
	Measure string `option:"measure" choices:"on,off,auto" default:"auto" doc:"training with test interactions shown, to report what that leak is worth (auto: where texts cost nothing)"`
	Seed    uint64 `option:"seed" default:"999" doc:"random seed of the probe's resampling and of the measuring runs"`
}

// Report is what an audit found.
type Report struct {
	audit.Report
	Stored    string     `json:"stored_provenance"` // what the workspace says of its vectors
	Path      []Step     `json:"path"`              // from the interactions to the vectors and the current run
	Reencoded *Reencoded `json:"reencoded,omitempty"`
	Leak      *LeakWorth `json:"leak_worth,omitempty"`
}

// LeakWorth compares a run on train-only texts with one that was shown everything,
// all else equal.
type LeakWorth struct {
	Model     string             `json:"model"`
	TrainOnly map[string]float64 `json:"train_only_test"`
	Leaky     map[string]float64 `json:"leaky_test"`
	Sentence  string             `json:"sentence"`
}

// auditor works on the current vectors, which are a space to probe, and what they were
// made from.
type auditor struct {
	*stage.Session
	opt          Options
	ds           *dataset.Dataset
	items, users string // addresses of the vectors; "" where there are none
	run          string // address of the current run; "" where there is none
}

// Run checks provenance where there is any, probes user vectors, and measures what a leak
// is worth.
func Run(ctx context.Context, s *stage.Session, opt Options) (*Report, error) {
	a := &auditor{Session: s, opt: opt}
	measure, err := a.wantMeasure()
	if err != nil {
		return nil, err
	}
	if err := a.find(); err != nil {
		return nil, err
	}
	path, err := a.path()
	if err != nil {
		return nil, err
	}
	if a.ds, err = s.Dataset(); err != nil {
		return nil, err
	}
	provenance, err := a.provenance()
	if err != nil {
		return nil, err
	}
	probe, err := a.probe(ctx)
	if err != nil {
		return nil, err
	}
	rep := &Report{Report: audit.NewReport(a.ds, provenance, probe), Stored: a.stored(), Path: path}
	if rep.Reencoded, err = a.reencode(ctx); err != nil {
		return nil, err
	}
	rep.Reencoded.judge(&rep.Report)
	if measure {
		rep.Leak, err = a.measureLeak(ctx)
	}
	return rep, err
}

// find looks up the current vectors. Those of users were made in the space of the items'
// that they name; imported ones name none.
func (a *auditor) find() error {
	users, record, haveUsers := a.WS.Current(workspace.KindUserVectors)
	items, _, haveItems := a.WS.Current(workspace.KindItemVectors)
	if in, ok := record.Inputs[workspace.KindItemVectors]; ok {
		items = in.Address
	}
	if !haveItems && !haveUsers {
		return stage.NotReady(a.WS, workspace.StageEncode)
	}
	if haveUsers {
		a.users = users
	}
	if haveItems {
		a.items = items
	}
	a.run, _, _ = a.WS.Current(workspace.KindRun)
	return nil
}

// stored is what the workspace says of the user vectors, or of those of the items.
func (a *auditor) stored() string {
	address := a.users
	if address == "" {
		address = a.items
	}
	record, _ := a.WS.Artefact(address)
	return record.Provenance
}

// texts returns the address of the preference texts behind the user vectors; "" where
// these were imported.
func (a *auditor) texts() string {
	record, _ := a.WS.Artefact(a.users)
	return record.Inputs[workspace.KindUserTexts].Address
}

func (a *auditor) provenance() (*audit.ProvenanceResult, error) {
	address := a.texts()
	if address == "" {
		return nil, nil
	}
	written, err := a.WS.UserTexts(address)
	if err != nil {
		return nil, err
	}
	res := audit.CheckProvenance(a.ds, written)
	return &res, nil
}

// probe asks of the vectors themselves, where users and items share a space.
func (a *auditor) probe(ctx context.Context) (*audit.ProbeResult, error) {
	if a.items == "" || a.users == "" {
		return nil, nil
	}
	items, err := a.Matrix(a.items, workspace.ItemVectorsFile)
	if err != nil {
		return nil, err
	}
	users, err := a.Matrix(a.users, workspace.UserVectorsFile)
	if err != nil {
		return nil, err
	}
	if items.Cols != users.Cols {
		return nil, usererr.New("Encode users and items by the same encoder.",
			"user vectors have %d dimensions and item vectors %d: they share no space to probe", users.Cols, items.Cols)
	}
	a.Say(stageAudit, "probing %d user vectors", users.Rows)
	res, err := audit.ProbeWith(ctx, users, items, a.ds, audit.Options{Seed: a.opt.Seed})
	if err != nil {
		return nil, fmt.Errorf("probe user vectors: %w", err)
	}
	return &res, nil
}

const stageAudit = "audit"

func (a *auditor) wantMeasure() (bool, error) {
	measure := usererr.Option("measure")
	_, preferences, _ := a.WS.Current(workspace.KindUserTexts)
	free := preferences.Options["mllm"] == backend.Offline
	imported := importing.HasVectors(a.WS)
	switch a.opt.Measure {
	case "off":
		return false, nil
	case "on":
		off := fmt.Sprintf("Use %s off", measure)
		if imported {
			return false, usererr.New(off+".", "cannot measure a leak on imported vectors: there are no texts to write anew")
		}
		if !free {
			return false, usererr.New(fmt.Sprintf("%s, or run the leaky protocol on purpose, with %s all.", off, usererr.Option("history")),
				"this workspace's preferences cost money or hours; audit does not write them anew behind your back")
		}
		return true, nil
	case "auto", "":
		return !imported && free, nil
	}
	return false, usererr.New("Use on, off or auto.", "unknown %s %q", measure, a.opt.Measure)
}
