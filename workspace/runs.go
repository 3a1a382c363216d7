package workspace

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Names of files inside a run's folder.
const (
	RunConfigFile  = "config.json"
	RunMetricsFile = "metrics.json"
	RunLogFile     = "log.jsonl"
	RunModelFile   = "model.safetensors" // weights of the best epoch
	RunLastFile    = "last.safetensors"  // state of the last epoch, to resume from
	RunItemsFile   = "items.npy"
	RunUsersFile   = "users.npy"
)

// runInfo is the key under which the train stage's Info names the current run.
const runInfo = "run"

// RunRecord is a run's config.json: all that determined its result.
type RunRecord struct {
	ID         string            `json:"id"`
	Model      string            `json:"model"`
	Settings   map[string]string `json:"settings"` // effective settings, defaults included
	Seed       uint64            `json:"seed"`
	SplitHash  string            `json:"split_hash"`
	InputHash  string            `json:"input_hash"`
	Leaky      bool              `json:"leaky"`
	Provenance string            `json:"provenance"`
	Created    time.Time         `json:"created"`
	Program    string            `json:"program,omitempty"` // version that trained it
}

// Run is a folder runs/<id>.
type Run struct {
	ID  string
	dir string
}

// RunID makes an id that sorts by model and time: <model>-<yyyymmdd>-<hhmmss>-<short
// hash>, the time in UTC, the hash from config. It only names a folder; nothing that
// is computed may depend on it.
func RunID(model string, at time.Time, config any) string {
	return fmt.Sprintf("%s-%s-%s", model, at.UTC().Format("20060102-150405"), HashInputs(config)[:6])
}

// NewRun makes the folder of a new run.
func (w *Workspace) NewRun(id string) (*Run, error) {
	if err := checkRunID(id); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(w.Path(RunsFolder), 0o777); err != nil {
		return nil, fmt.Errorf("making run %s: %w", id, err)
	}
	r := &Run{ID: id, dir: w.Path(RunsFolder, id)}
	if err := os.Mkdir(r.dir, 0o777); errors.Is(err, fs.ErrExist) {
		return nil, usererr.New("Give another id, or resume the run.", "run %s exists already", id)
	} else if err != nil {
		return nil, fmt.Errorf("making run %s: %w", id, err)
	}
	return r, nil
}

// Run returns an existing run.
func (w *Workspace) Run(id string) (*Run, error) {
	if err := checkRunID(id); err != nil {
		return nil, err
	}
	r := &Run{ID: id, dir: w.Path(RunsFolder, id)}
	if info, err := os.Stat(r.dir); errors.Is(err, fs.ErrNotExist) || err == nil && !info.IsDir() {
		known := "there is none yet"
		if runs, err := w.Runs(); err == nil && len(runs) > 0 {
			ids := make([]string, len(runs))
			for i, r := range runs {
				ids[i] = r.ID
			}
			known = "known: " + strings.Join(ids[max(0, len(ids)-10):], ", ")
		}
		return nil, usererr.New("Train one with: mllmrec train "+w.dir, "run %s is not in %s (%s)", id, w.dir, known)
	} else if err != nil {
		return nil, err
	}
	return r, nil
}

// Runs returns all runs that have a config, oldest first.
func (w *Workspace) Runs() ([]*Run, error) {
	entries, err := os.ReadDir(w.Path(RunsFolder))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("listing the runs: %w", err)
	}
	type dated struct {
		run  *Run
		when time.Time
	}
	var all []dated
	for _, e := range entries {
		if !e.IsDir() || checkRunID(e.Name()) != nil {
			continue
		}
		r := &Run{ID: e.Name(), dir: w.Path(RunsFolder, e.Name())}
		rec, err := r.Record()
		if errors.Is(err, fs.ErrNotExist) {
			continue // killed before it began
		}
		if err != nil {
			return nil, err
		}
		all = append(all, dated{r, rec.Created})
	}
	slices.SortFunc(all, func(a, b dated) int { return cmp.Or(a.when.Compare(b.when), cmp.Compare(a.run.ID, b.run.ID)) })
	runs := make([]*Run, len(all))
	for i, d := range all {
		runs[i] = d.run
	}
	return runs, nil
}

// LatestRun returns the current run: the one that the train stage last recorded.
func (w *Workspace) LatestRun() (*Run, error) {
	id, ok := w.Manifest().Stages[StageTrain].Info[runInfo].(string)
	if !ok {
		return nil, usererr.New("Train one with: mllmrec train "+w.dir, "workspace %s has no finished run", w.dir)
	}
	return w.Run(id)
}

// RunInfo returns the Info by which a train stage makes run id the current one.
func RunInfo(id string) map[string]any { return map[string]any{runInfo: id} }

// Path joins elem to the run's folder.
func (r *Run) Path(elem ...string) string {
	return filepath.Join(append([]string{r.dir}, elem...)...)
}

// Rel returns the path of a file of the run relative to the workspace, with slashes,
// as [Stage.Outputs] wants it.
func (r *Run) Rel(name string) string { return RunsFolder + "/" + r.ID + "/" + name }

// WriteRecord writes config.json, with the run's id.
func (r *Run) WriteRecord(rec RunRecord) error {
	rec.ID = r.ID
	return writeJSON(r.Path(RunConfigFile), rec)
}

// Record reads config.json.
func (r *Run) Record() (RunRecord, error) {
	var rec RunRecord
	if err := readJSON(r.Path(RunConfigFile), &rec); err != nil {
		return RunRecord{}, fmt.Errorf("run %s: %w", r.ID, err)
	}
	return rec, nil
}

// WriteMetrics writes v as metrics.json.
func (r *Run) WriteMetrics(v any) error { return writeJSON(r.Path(RunMetricsFile), v) }

// Metrics reads metrics.json into v.
func (r *Run) Metrics(v any) error {
	if err := readJSON(r.Path(RunMetricsFile), v); err != nil {
		return fmt.Errorf("run %s: %w", r.ID, err)
	}
	return nil
}

// checkRunID allows what is a plain folder name on every system.
func checkRunID(id string) error {
	ok := id != "" && len(id) <= 100 && id[0] != '.' && id[0] != '-'
	for _, c := range id {
		ok = ok && (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.ContainsRune("._-", c))
	}
	if !ok {
		return usererr.New("Use letters, digits, dots, hyphens and underscores, at most 100.", "%q is no name for a run", id)
	}
	return nil
}
