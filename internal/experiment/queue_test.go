package experiment

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// shop imports a made-up data set.
func shop(t *testing.T) (dir string) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "shop.ws")
	ds := modeltest.Make(modeltest.Shape{Users: 30, Items: 24, Train: 140, Width: 4, Tastes: 4}, 3).Dataset
	if _, err := importing.Run(t.Context(), dir, ds, &dataset.Report{Kind: "test"}, importing.Options{Split: string(dataset.SplitByLatest)}, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// lab runs trials that only pretend: their validation score is said by score, their test score is its contrary, and
// they hold so much memory.
type lab struct {
	mu      sync.Mutex
	now     int
	most    int
	memory  int64
	highest int64
	ran     []string
	holds   int64
	score   func(o order) (float64, error)
}

func (l *lab) trial(ctx context.Context, dir string, _ int, memory int64) error {
	raw, err := os.ReadFile(filepath.Join(dir, orderFile))
	if err != nil {
		return err
	}
	var o order
	if err := json.Unmarshal(raw, &o); err != nil {
		return err
	}
	l.mu.Lock()
	l.now++
	l.memory += memory
	l.most, l.highest = max(l.most, l.now), max(l.highest, l.memory)
	l.ran = append(l.ran, fmt.Sprintf("%s %v %d", o.Model, o.Given, o.Seed))
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		l.now--
		l.memory -= memory
		l.mu.Unlock()
	}()
	select {
	case <-time.After(5 * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	score, err := l.score(o)
	if err != nil {
		return err
	}
	users := tensor.New(10, 5)
	for j := range users.Rows {
		users.Row(j)[0] = float32(j)
		for k := 1; k < 5; k++ {
			users.Row(j)[k] = float32(1-score) + float32(j%3)/10
		}
	}
	if err := arrayfile.WriteNPY(filepath.Join(dir, result.UsersFile), users); err != nil {
		return err
	}
	metrics := func(v float64) map[string]float64 { return map[string]float64{"recall@20": v} }
	return result.Write(filepath.Join(dir, result.TrialFile), result.Trial{ID: o.ID, Data: o.Data, Entry: o.Entry, Model: o.Model, Seed: o.Seed,
		Valid: metrics(score), Test: metrics(1 - score), TestUsers: 10, Cost: result.Cost{MemoryBytes: l.holds}})
}

func (l *lab) experiment(dir, ws string, p *Plan) *Experiment {
	return &Experiment{Plan: p, Dir: dir, Jobs: 3, Trial: l.trial, Open: func(dir string) (*stage.Session, error) {
		w, err := workspace.Open(dir)
		if err != nil {
			return nil, err
		}
		return stage.NewSession(w, nil), nil
	}}
}

func gridPlan(ws string) *Plan {
	return &Plan{Name: "x", Data: []string{ws}, Seeds: []uint64{1, 2, 3}, Entries: []Entry{
		{Model: "bpr", Grid: map[string][]string{"reg_weight": {"0.1", "0.01", "0.001"}}},
		{Model: "lightgcn"},
	}}
}

// By validation the point 0.01 is the best of bpr, by test the worst: it is chosen, runs with all seeds, and the
// others with one. Trials go on beside each other, never more than allowed.
func TestSettingsAreChosenByValidation(t *testing.T) {
	ws, dir := shop(t), t.TempDir()
	l := &lab{holds: 1 << 20, score: func(o order) (float64, error) {
		switch {
		case o.Model == "lightgcn":
			return 0.4, nil
		case o.Given["reg_weight"] == "0.01":
			return 0.9, nil
		}
		return 0.2, nil
	}}
	r, err := l.experiment(dir, ws, gridPlan(ws)).Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(l.ran) != 3+2+3 || l.most > 3 || l.most < 2 {
		t.Errorf("%d trials, at most %d at a time: %q", len(l.ran), l.most, l.ran)
	}
	row := r.Rows[0]
	if row.Chosen["reg_weight"] != "0.01" || len(row.Trials) != 3 || row.Searched != 3 {
		t.Errorf("%+v", row)
	}
	if len(r.Contrasts) != 4 || r.Contrasts[0].Winner != "bpr" || r.Contrasts[0].Other != "lightgcn" || r.Contrasts[0].Interval.Mean > -0.4 {
		t.Errorf("the winner is chosen by something else than validation: %+v", r.Contrasts)
	}
	// Once more: nothing is repeated, and the result is the same.
	before, _ := os.ReadFile(filepath.Join(dir, result.File))
	l.ran = nil
	if _, err := l.experiment(dir, ws, gridPlan(ws)).Run(t.Context()); err != nil || len(l.ran) != 0 {
		t.Errorf("%q were run again, %v", l.ran, err)
	}
	if after, _ := os.ReadFile(filepath.Join(dir, result.File)); string(after) != string(before) {
		t.Errorf("%s\nand\n%s", before, after)
	}
	// Another plan in the same folder would mix two experiments up.
	other := gridPlan(ws)
	other.Seeds = []uint64{9}
	if _, err := l.experiment(dir, ws, other).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "another plan") {
		t.Errorf("error %v", err)
	}
}

// Two finalists of five: the best on validation that draw by lot. Test, by which the last would be first, has no say; a
// finalist whose trial failed gives its place to the next.
func TestFinalistsAreTheBestOnValidation(t *testing.T) {
	ws := shop(t)
	plan := func() *Plan {
		return &Plan{Name: "x", Data: []string{ws}, Seeds: []uint64{1, 2, 3}, Finals: 2, Entries: []Entry{
			{Model: "bpr"}, {Model: "lightgcn"}, {Model: "bm25"}, {Model: "spectral"},
			{Label: "wide", Model: "bpr", Grid: map[string][]string{"embedding_dim": {"32", "128"}}},
		}}
	}
	ran := func(r *result.Result) map[string]int {
		n := map[string]int{}
		for _, row := range r.Rows {
			n[row.Entry] = len(row.Trials)
		}
		return n
	}
	broken := false
	l := &lab{score: func(o order) (float64, error) {
		switch {
		case o.Entry == "wide" && o.Given["embedding_dim"] == "128":
			return 0.8, nil
		case o.Model == "bm25":
			return 0.9, nil // draws nothing: further seeds would be the same trial
		case o.Model == "lightgcn":
			if broken {
				return 0, errors.New("the disk is full")
			}
			return 0.7, nil
		case o.Model == "spectral":
			return 0.6, nil
		}
		return 0.1, nil
	}}
	x := l.experiment(t.TempDir(), ws, plan())
	f, err := l.experiment(x.Dir, ws, plan()).Forecast(t.Context())
	if err != nil || f.Trials != 6+2*2 {
		t.Fatalf("%+v, %v", f, err)
	}
	last := Progress{}
	x.Show = func(p Progress) { last = p }
	r, err := x.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got, want := ran(r), (map[string]int{"wide": 3, "lightgcn": 3, "bm25": 1, "spectral": 1, "bpr": 1}); !maps.Equal(got, want) || len(l.ran) != 10 {
		t.Errorf("%v, want %v; %q", got, want, l.ran)
	}
	if last.Done != 10 || last.Total != 10 {
		t.Errorf("at the end %d of %d trials", last.Done, last.Total)
	}
	if f, err = l.experiment(x.Dir, ws, plan()).Forecast(t.Context()); err != nil || f.Ended != 10 || f.Trials != 10 {
		t.Errorf("afterwards %+v, %v", f, err)
	}
	broken = true
	if r, err = l.experiment(t.TempDir(), ws, plan()).Run(t.Context()); err != nil || ran(r)["spectral"] != 3 || len(r.Failed) != 1 {
		t.Errorf("%v, %v, %+v", ran(r), err, r.Failed)
	}
	alone := plan()
	if alone.Seeds = alone.Seeds[:1]; alone.Check() == nil {
		t.Error("finalists of one seed have no effect, and nobody says so")
	}
}

// A trial that fails is listed, the others go on, and the next time it is tried again.
func TestAFailedTrialStopsNoOther(t *testing.T) {
	ws, dir := shop(t), t.TempDir()
	broken := true
	l := &lab{score: func(o order) (float64, error) {
		if broken && o.Model == "lightgcn" && o.Seed == 2 {
			return 0, errors.New("the disk is full")
		}
		return 0.5, nil
	}}
	r, err := l.experiment(dir, ws, gridPlan(ws)).Run(t.Context())
	if err != nil || len(r.Failed) != 1 || !strings.Contains(r.Failed[0].Error, "the disk is full") || len(r.Rows) != 2 {
		t.Fatalf("%v: %+v", err, r)
	}
	broken, l.ran = false, nil
	r, err = l.experiment(dir, ws, gridPlan(ws)).Run(t.Context())
	if err != nil || len(r.Failed) != 0 || len(l.ran) != 1 || len(r.Rows[1].Trials) != 3 {
		t.Errorf("%v: ran %q, %+v", err, l.ran, r.Failed)
	}
}

// Trials together stay inside the memory that they were given, by what trials of their model were seen to hold.
func TestMemoryIsKept(t *testing.T) {
	ws, dir := shop(t), t.TempDir()
	l := &lab{holds: 100 << 20, score: func(order) (float64, error) { return 0.5, nil }}
	x := l.experiment(dir, ws, gridPlan(ws))
	x.Memory = 250 << 20
	if _, err := x.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	if l.highest > x.Memory || l.most < 2 {
		t.Errorf("%d MB at once of %d, %d trials", l.highest>>20, x.Memory>>20, l.most)
	}
}

// A stopped experiment ends its trials and says so; the next goes on.
func TestStoppedExperimentGoesOn(t *testing.T) {
	ws, dir := shop(t), t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	l := &lab{}
	l.score = func(order) (float64, error) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.ran) >= 4 {
			cancel()
		}
		return 0.5, nil
	}
	if _, err := l.experiment(dir, ws, gridPlan(ws)).Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	if l.now != 0 {
		t.Errorf("%d trials still run", l.now)
	}
	r, err := l.experiment(dir, ws, gridPlan(ws)).Run(t.Context())
	if err != nil || len(r.Rows) != 2 {
		t.Errorf("%v: %+v", err, r)
	}
}

// What the data do not allow is left out of a floor, and an error of an entry that was asked for.
func TestWhatTheDataDoNotAllow(t *testing.T) {
	ws := shop(t)
	l := &lab{score: func(order) (float64, error) { return 0.5, nil }}
	p := gridPlan(ws)
	p.Entries = append(p.Entries, Entry{Model: "freedom", Floor: true, Set: map[string]string{"modalities": "visual"}})
	r, err := l.experiment(t.TempDir(), ws, p).Run(t.Context())
	if err != nil || len(r.LeftOut) != 1 || r.LeftOut[0].Entry != "freedom" || !strings.Contains(r.LeftOut[0].Reason, "visual") {
		t.Errorf("%v: %+v", err, r)
	}
	p = gridPlan(ws)
	p.Entries = append(p.Entries, Entry{Model: "freedom", Set: map[string]string{"modalities": "visual"}})
	if _, err := l.experiment(t.TempDir(), ws, p).Run(t.Context()); err == nil || !strings.Contains(err.Error(), "entry freedom") {
		t.Errorf("error %v", err)
	}
}
