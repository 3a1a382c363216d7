package training

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Run is a training run as stored in its metrics.json, or in its config.json before it is
// finished.
type Run struct {
	ID          string                    `json:"run"`
	Model       string                    `json:"model"`
	Seed        uint64                    `json:"seed"`
	Settings    map[string]string         `json:"settings"`
	InputHash   string                    `json:"input_hash"`
	Provenance  string                    `json:"provenance"`
	Leaky       bool                      `json:"leaky"`
	Warning     string                    `json:"warning,omitempty"`
	Started     time.Time                 `json:"started"`
	Finished    *time.Time                `json:"finished,omitempty"`
	ResumedFrom int                       `json:"resumed_from,omitempty"` // epochs found in the checkpoint
	BestEpoch   int                       `json:"best_epoch"`
	Stopped     string                    `json:"stopped"`
	Config      map[string]string         `json:"config,omitempty"` // all that determined the result, defaults included
	From        map[workspace.Kind]string `json:"from,omitempty"`   // addresses of what it was made from
	Epochs      []train.Epoch             `json:"epochs"`
	Valid       map[string]float64        `json:"valid"`
	Test        map[string]float64        `json:"test"`
}

// Summary is a run in a list.
type Summary struct {
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

// List lists the workspace's runs, interrupted ones too, the earliest first.
func List(ws *workspace.Workspace) ([]Summary, error) {
	runs, err := begunRuns(ws)
	if err != nil {
		return nil, err
	}
	for _, address := range ws.Addresses(workspace.KindRun) {
		r, err := readRun(ws, path.Base(address))
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	slices.SortStableFunc(runs, func(a, b *Run) int { return a.Started.Compare(b.Started) })
	list := []Summary{}
	for _, r := range runs {
		list = append(list, Summary{ID: r.ID, Model: r.Model, Seed: r.Seed, Finished: r.Finished != nil, Leaky: r.Leaky,
			Started: r.Started, Epochs: len(r.Epochs), Settings: r.Settings, Valid: r.Valid, Test: r.Test})
	}
	return list, nil
}

// Find returns a finished run by id, or the current one for "", with its address.
func Find(ws *workspace.Workspace, id string) (*Run, string, error) {
	address, err := stage.RunAddress(ws, id)
	if err != nil {
		if begun, listErr := begunRuns(ws); listErr == nil && slices.ContainsFunc(begun, func(r *Run) bool { return r.ID == id }) {
			return nil, "", usererr.NotReady(workspace.StageTrain, "Training with the same options goes on with it.", "run %s is not finished", id)
		}
		return nil, "", err
	}
	run, err := readRun(ws, path.Base(address))
	return run, address, err
}

// readRun reads a finished run, or the configuration of one that is not.
func readRun(ws *workspace.Workspace, id string) (*Run, error) {
	raw, err := os.ReadFile(ws.Path(workspace.RunsFolder, id, workspace.RunMetricsFile))
	if errors.Is(err, fs.ErrNotExist) {
		raw, err = os.ReadFile(ws.Path(workspace.RunsFolder, id, workspace.RunConfigFile))
	}
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	var r Run
	if err := json.Unmarshal(raw, &r); err != nil {
		return nil, usererr.WrapAs(usererr.KindDamaged, fmt.Errorf("read run %s: %w", id, err), "Remove the run's folder, or bring the file back from a copy.")
	}
	r.ID = id
	return &r, nil
}

func writeJSON(path string, v any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	})
}
