package pipeline

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// RunPath names a file of a run.
func (p *Pipeline) RunPath(id, file string) string { return p.WS.Path("runs", id, file) }

// RunSummary is a run in a list.
type RunSummary struct {
	ID       string             `json:"run"`
	Model    string             `json:"model"`
	Seed     uint64             `json:"seed"`
	Finished bool               `json:"finished"`
	Leaky    bool               `json:"leaky"`
	Started  time.Time          `json:"started"`
	Epochs   int                `json:"epochs"`
	Settings map[string]string  `json:"settings,omitempty"`
	Valid    map[string]float64 `json:"valid,omitempty"`
	Test     map[string]float64 `json:"test,omitempty"`
}

// Runs lists the workspace's runs, oldest first.
func (p *Pipeline) Runs() ([]RunSummary, error) {
	runs, err := p.runs()
	if err != nil {
		return nil, err
	}
	list := []RunSummary{}
	for _, r := range runs {
		list = append(list, RunSummary{ID: r.ID, Model: r.Model, Seed: r.Seed, Finished: r.Finished != nil, Leaky: r.Leaky,
			Started: r.Started, Epochs: len(r.Epochs), Settings: r.Settings, Valid: r.Valid, Test: r.Test})
	}
	return list, nil
}

func (p *Pipeline) runs() ([]*Run, error) {
	entries, err := os.ReadDir(p.WS.Path("runs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var runs []*Run
	for _, e := range entries {
		if !e.IsDir() {
			continue
		}
		r, err := p.readRun(e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // a folder made by somebody else, or killed before its config was written
		}
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	slices.SortStableFunc(runs, func(a, b *Run) int { return a.Started.Compare(b.Started) })
	return runs, nil
}

// readRun reads a finished run, or the configuration of one that is not.
func (p *Pipeline) readRun(id string) (*Run, error) {
	raw, err := os.ReadFile(p.RunPath(id, workspace.RunMetricsFile))
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = os.ReadFile(p.RunPath(id, workspace.RunConfigFile))
	}
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	var r Run
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	r.ID = id
	return &r, nil
}

// FindRun returns a finished run by id, or the latest finished one for "".
func (p *Pipeline) FindRun(id string) (*Run, error) {
	runs, err := p.runs()
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Backward(runs) {
		switch {
		case id == "" && r.Finished != nil:
			return r, nil
		case r.ID == id && r.Finished == nil:
			return nil, usererr.New("The same train command goes on with it.", "run %s is not finished", id)
		case r.ID == id:
			return r, nil
		}
	}
	if id == "" {
		return nil, usererr.New(fmt.Sprintf("Train one: mllmrec train %s", p.WS.Dir()), "workspace %s has no finished run", p.WS.Dir())
	}
	return nil, usererr.New(fmt.Sprintf("'mllmrec status %s' lists the runs.", p.WS.Dir()), "workspace %s has no run %q", p.WS.Dir(), id)
}

// openRun finds the interrupted run of the same options and inputs, or makes a new
// one. The id names the model and what determines the result, so equal runs have
// equal ids up to a counter.
func (p *Pipeline) openRun(opt TrainOptions, inputHash string, st workspace.Stage) (run *Run, resume bool, err error) {
	runs, err := p.runs()
	if err != nil {
		return nil, false, err
	}
	for _, r := range slices.Backward(runs) {
		if r.InputHash == inputHash && r.Finished == nil && !opt.Fresh {
			return r, true, nil
		}
	}
	run = &Run{ID: freeID(p.WS.Path("runs"), opt.Model+"-"+inputHash[:8]), Model: opt.Model, Seed: opt.Seed, Settings: opt.Settings,
		InputHash: inputHash, Provenance: st.Provenance, Leaky: st.Leaky, Warning: warning(st), Started: time.Now().UTC()}
	if err := os.MkdirAll(p.RunPath(run.ID, ""), 0o755); err != nil {
		return nil, false, fmt.Errorf("make run folder: %w", err)
	}
	return run, false, writeJSON(p.RunPath(run.ID, workspace.RunConfigFile), run)
}

// freshRun returns the latest finished run of these options and inputs, if any.
func (p *Pipeline) freshRun(inputHash string) (*Run, error) {
	runs, err := p.runs()
	if err != nil {
		return nil, err
	}
	for _, r := range slices.Backward(runs) {
		if r.InputHash == inputHash && r.Finished != nil {
			return r, nil
		}
	}
	return nil, nil
}

func freeID(dir, id string) string {
	for n := 1; ; n++ {
		try := id
		if n > 1 {
			try = fmt.Sprintf("%s-%d", id, n)
		}
		if _, err := os.Stat(filepath.Join(dir, try)); errors.Is(err, fs.ErrNotExist) {
			return try
		}
	}
}

// warning says in words what the provenance of the vectors means for the numbers.
func warning(st workspace.Stage) string {
	switch {
	case st.Leaky:
		return "leaky: the preference texts were written from validation and test interactions too; these numbers are no estimate of quality"
	case st.Provenance == workspace.ProvenanceUnknown:
		return "provenance unknown: the user vectors were imported; 'mllmrec audit' probes them for a leak"
	}
	return ""
}

// storeRun writes the vectors of the trained model and then, last, the metrics that
// mark the run finished.
func (p *Pipeline) storeRun(run *Run, m model.Model) error {
	users, items, err := m.Represent()
	if err != nil {
		return fmt.Errorf("represent: %w", err)
	}
	if err := arrayfile.WriteNPY(p.RunPath(run.ID, workspace.RunUsersFile), users); err != nil {
		return err
	}
	if err := arrayfile.WriteNPY(p.RunPath(run.ID, workspace.RunItemsFile), items); err != nil {
		return err
	}
	now := time.Now().UTC()
	run.Finished = &now
	return writeJSON(p.RunPath(run.ID, workspace.RunMetricsFile), run)
}
