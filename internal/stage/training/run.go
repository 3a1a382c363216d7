package training

import (
	"encoding/json"
	"fmt"
	"io"
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
	Started     time.Time                 `json:"started,omitzero"`
	Finished    *time.Time                `json:"finished,omitempty"`
	ResumedFrom int                       `json:"resumed_from,omitempty"` // epochs found in the checkpoint
	LeftOut     int                       `json:"left_out,omitempty"`     // users with every train item, who were left out of sampling
	BestEpoch   int                       `json:"best_epoch"`
	Stopped     string                    `json:"stopped"`
	Config      map[string]string         `json:"config,omitempty"` // all that determined the result, defaults included
	From        map[workspace.Kind]string `json:"from,omitempty"`   // addresses of what it was made from
	Found       map[string]string         `json:"found,omitempty"`  // what a fitted model chose on validation
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
		r, err := finishedRun(ws, address)
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
	run, err := finishedRun(ws, address)
	return run, address, err
}

// times is what a run's files do not say, so that these are the same however often training
// was interrupted and however long it took.
type times struct {
	Started     time.Time    `json:"started"`
	ResumedFrom int          `json:"resumed_from,omitempty"`
	Epochs      [][2]float64 `json:"epochs"` // seconds of training and of validation
}

// timesOf reads the times of a record; one that another version wrote may have none.
func timesOf(a workspace.Artefact) (t times) {
	if raw, err := json.Marshal(a.Info[stage.InfoTimes]); err == nil {
		json.Unmarshal(raw, &t) //nolint:errcheck // see above: times are for people to read
	}
	return t
}

// finishedRun reads a run that is recorded. Of one that an earlier version trained, the
// file says when.
func finishedRun(ws *workspace.Workspace, address string) (*Run, error) {
	raw, err := ws.ReadFile(address, workspace.RunMetricsFile)
	if err != nil {
		return nil, err
	}
	r, err := parseRun(path.Base(address), raw)
	if err != nil {
		return nil, err
	}
	a, _ := ws.Artefact(address)
	if r.Finished == nil {
		r.Finished = &a.Finished
	}
	if t := timesOf(a); !t.Started.IsZero() {
		r.Started, r.ResumedFrom = t.Started, t.ResumedFrom
		for i := range min(len(r.Epochs), len(t.Epochs)) {
			r.Epochs[i].TrainSeconds, r.Epochs[i].EvalSeconds = t.Epochs[i][0], t.Epochs[i][1]
		}
	}
	return r, nil
}

// begunRun reads the configuration of a run that is not recorded.
func begunRun(ws *workspace.Workspace, id string) (*Run, error) {
	raw, err := ws.ReadNote(workspace.RunsFolder, id, workspace.RunConfigFile)
	if err != nil {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	return parseRun(id, raw)
}

func parseRun(id string, raw []byte) (*Run, error) {
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
