// Package pipeline runs the stages of MLLMRec over a workspace, in the order data
// flows: describe and reason (Eq. 1–4), encode (Eq. 5, 13), graph (Eq. 6–12), train
// (Eq. 14–15), evaluate. Each stage is skipped while what it was made from has not
// changed, and goes on where it was stopped.
package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Pipeline runs stages over one workspace.
type Pipeline struct {
	WS      *workspace.Workspace
	Observe Observer // progress; may be nil
	Force   bool     // redo stages that are fresh
	Writer  string   // who writes preferences of people never seen, as AuthorOptions.MLLM; "" = who wrote the others
}

// Observer receives progress. It is called from one goroutine at a time.
type Observer func(Event)

// Event is a step of progress.
type Event struct {
	Stage   string
	Message string        // what is being done, or what came of it when End is set
	Done    int           // units finished
	Total   int           // units in all; 0 where that is unknown
	Elapsed time.Duration // since the stage began
	Left    time.Duration // where the stage knows better than Elapsed tells: till its end; below 0 = unknown
	End     bool          // the stage is done (or an epoch is): print and keep
}

// Final reports whether the line should stay.
func (e Event) Final() bool { return e.End }

// beforeETA is how long a stage has to work before its rate means anything.
const beforeETA = 3 * time.Second

// ETA estimates the time left from the rate so far; 0 where that is unknown.
func (e Event) ETA() time.Duration {
	if e.Left != 0 {
		return max(e.Left, 0)
	}
	if e.Elapsed < beforeETA || e.Done == 0 || e.Total == 0 || e.Done >= e.Total {
		return 0
	}
	return time.Duration(float64(e.Elapsed) * float64(e.Total-e.Done) / float64(e.Done))
}

// String formats the event as one line.
func (e Event) String() string {
	s := fmt.Sprintf("%-9s", e.Stage)
	if e.Total > 0 && !e.End {
		s += fmt.Sprintf("%d/%d ", e.Done, e.Total)
	}
	s += e.Message
	if eta := e.ETA(); eta > 0 && !e.End {
		s += fmt.Sprintf(" · %s left", eta.Round(time.Second))
	}
	if e.End && e.Elapsed >= 10*time.Millisecond {
		s += fmt.Sprintf(" · %s", e.Elapsed.Round(10*time.Millisecond))
	}
	return s
}

func (p *Pipeline) emit(e Event) {
	if p.Observe != nil {
		p.Observe(e)
	}
}

// done reports a finished stage.
func (p *Pipeline) done(stage string, since time.Time, format string, args ...any) {
	p.emit(Event{Stage: stage, Message: fmt.Sprintf(format, args...), Elapsed: time.Since(since), End: true})
}

// upstream names, for each stage, the files of earlier stages that determine it.
var upstream = map[string][]string{
	workspace.StageDescribe: {workspace.ItemsFile},
	workspace.StageReason:   {workspace.ItemTextsFile, workspace.InteractionsFile},
	workspace.StageEncode:   {workspace.ItemTextsFile, workspace.UserTextsFile},
	workspace.StageGraph:    {workspace.ItemFeaturesFile, workspace.InteractionsFile},
	workspace.StageTrain:    {"features/", workspace.ItemGraphFile, workspace.InteractionsFile},
}

// inputHash identifies all that determines a stage: the recorded hashes of the files
// it reads, and its options.
func (p *Pipeline) inputHash(stage string, options map[string]string) string {
	files := map[string]string{}
	for _, st := range p.WS.Manifest().Stages {
		for path, hash := range st.Outputs {
			for _, want := range upstream[stage] {
				if path == want || strings.HasSuffix(want, "/") && strings.HasPrefix(path, want) {
					files[path] = hash
				}
			}
		}
	}
	return workspace.HashInputs(stage, files, options)
}

// fresh reports whether stage needs no work under these options.
func (p *Pipeline) fresh(stage string, options map[string]string) bool {
	if p.Force {
		return false
	}
	return p.WS.StageState(stage, p.inputHash(stage, options)) == workspace.Fresh
}

// require fails unless an earlier stage has run.
func (p *Pipeline) require(stage, command string) (workspace.Stage, error) {
	st, ok := p.WS.Manifest().Stages[stage]
	if !ok {
		return st, usererr.New(fmt.Sprintf("Run 'mllmrec %s %s' first, or 'mllmrec run' for all stages.", command, p.WS.Dir()),
			"workspace %s has no result of stage %q yet", p.WS.Dir(), stage)
	}
	return st, nil
}

// StageStatus says how a stage stands.
type StageStatus struct {
	Stage      string            `json:"stage"`
	State      string            `json:"state"`            // "fresh", "partial" (answers are missing), "stale" or "missing"
	Reason     string            `json:"reason,omitempty"` // why it is stale
	Finished   *time.Time        `json:"finished,omitempty"`
	Seconds    float64           `json:"seconds,omitempty"`
	Provenance string            `json:"provenance,omitempty"`
	Leaky      bool              `json:"leaky,omitempty"`
	Options    map[string]string `json:"options,omitempty"`
	Info       map[string]any    `json:"info,omitempty"`
}

// Status reports every stage against what it was made from.
func (p *Pipeline) Status(ctx context.Context) ([]StageStatus, error) {
	var all []StageStatus
	manifest := p.WS.Manifest()
	stale := false
	for _, name := range workspace.Stages() {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		st, ok := manifest.Stages[name]
		if !ok {
			all = append(all, StageStatus{Stage: name, State: "missing"})
			continue
		}
		want := st.InputHash
		if name != workspace.StageImport {
			want = p.inputHash(name, st.Options)
		}
		check := p.WS.CheckStage(name, want, nil)
		s := StageStatus{Stage: name, State: check.State.String(), Reason: check.Reason, Finished: &st.Finished, Seconds: st.Seconds,
			Provenance: st.Provenance, Leaky: st.Leaky, Options: st.Options, Info: st.Info}
		if stale && check.State == workspace.Fresh {
			s.State, s.Reason = workspace.Stale.String(), "an earlier stage is stale"
		}
		if n := unsettled(st); n > 0 && s.State == workspace.Fresh.String() {
			s.State, s.Reason = "partial", fmt.Sprintf("%d texts lack an answer; the next run goes on with them", n)
		}
		stale = stale || s.State == workspace.Stale.String()
		all = append(all, s)
	}
	return all, nil
}

// writeMatrix stores m in a file of the workspace, making its folder.
func (p *Pipeline) writeMatrix(file string, m *tensor.Matrix) error {
	path, err := p.fileFor(file)
	if err != nil {
		return err
	}
	return arrayfile.WriteNPY(path, m)
}

// fileFor returns the path of a file of the workspace, whose folder it makes.
func (p *Pipeline) fileFor(file string) (string, error) {
	path := p.WS.Path(file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", fmt.Errorf("make folder for %s: %w", file, err)
	}
	return path, nil
}

// nameOf shortens an id, a name with digests behind it, for people.
func nameOf(id string) string {
	name, _, _ := strings.Cut(id, " ")
	return name
}
