package experiment

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Two entries serve each user alike, but one has its good seed first and the other last, and a third ran with one
// seed: they are tied to the last bit, which sums in float32 are not.
func TestTiesSurviveTheMeanOverSeeds(t *testing.T) {
	x := &Experiment{Dir: t.TempDir()}
	write := func(id string, values ...float32) {
		m := tensor.New(len(values), 1+len(result.Metrics()))
		for j, v := range values {
			m.Row(j)[0] = float32(j)
			for k := range result.Metrics() {
				m.Row(j)[k+1] = v
			}
		}
		if err := os.MkdirAll(x.folder(id), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := arrayfile.WriteNPY(filepath.Join(x.folder(id), result.UsersFile), m); err != nil {
			t.Fatal(err)
		}
	}
	third, fifth, seventh := float32(1)/3, float32(1)/5, float32(1)/7
	write("a", third, seventh)
	write("b", fifth, seventh)
	write("c", 1, seventh)
	of := func(entry string, trials ...string) *people {
		p, err := x.users(result.Row{Entry: entry, Trials: trials})
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	c, err := contrast(of("one", "a", "b", "c"), of("two", "c", "b", "a"), 0)
	if err != nil || c.Tied != 1 || c.Wilcoxon != 1 || c.Interval.Low != 0 || c.Interval.High != 0 {
		t.Errorf("%v: %+v", err, c)
	}
	if p := of("three", "a", "b", "c"); p.values[0][1] != float64(seventh) {
		t.Errorf("the mean of three equals is %v", p.values[0][1])
	}
	write("d", third, fifth, seventh)
	if _, err := x.users(result.Row{Trials: []string{"a", "d"}}); err == nil {
		t.Error("seeds with other users passed")
	}
	if _, err := contrast(of("one", "a"), of("four", "d"), 0); err == nil || !strings.Contains(err.Error(), "one and four") {
		t.Errorf("entries with other users: %v", err)
	}
}

// A second process in the same folder would take the first's trials for failed ones.
func TestOneExperimentInAFolder(t *testing.T) {
	ws, dir := shop(t), t.TempDir()
	l := &lab{score: func(order) (float64, error) { return 0.5, nil }}
	release, err := l.experiment(dir, ws, gridPlan(ws)).lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.experiment(dir, ws, gridPlan(ws)).Run(t.Context()); usererr.KindOf(err) != usererr.KindLocked {
		t.Errorf("error %v", err)
	}
	if _, err := l.experiment(dir, ws, gridPlan(ws)).Forecast(t.Context()); usererr.KindOf(err) != usererr.KindLocked {
		t.Errorf("error %v", err)
	}
	release()
	if _, err := l.experiment(dir, ws, gridPlan(ws)).Run(t.Context()); err != nil {
		t.Error(err)
	}
}

// The trial of a killed experiment that is still ending is waited for, and its result, if it gets that far, is not
// made a second time.
func TestTrialWaitsForOneThatIsEnding(t *testing.T) {
	dir := t.TempDir()
	from, err := workspace.Open(shop(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := from.Link(filepath.Join(dir, workFolder)); err != nil {
		t.Fatal(err)
	}
	if err := result.Write(filepath.Join(dir, orderFile), order{ID: "x", Model: "bpr", Seed: 1}); err != nil {
		t.Fatal(err)
	}
	orphan, err := workspace.Open(filepath.Join(dir, workFolder))
	if err != nil {
		t.Fatal(err)
	}
	release, err := orphan.Lock()
	if err != nil {
		t.Fatal(err)
	}
	brief, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := RunTrial(brief, dir); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a trial that was told to stop while it waits: %v", err)
	}
	done := make(chan error)
	go func() { done <- RunTrial(t.Context(), dir) }()
	select {
	case err := <-done:
		t.Fatalf("it did not wait: %v", err)
	case <-time.After(250 * time.Millisecond):
	}
	if err := result.Write(filepath.Join(dir, result.TrialFile), result.Trial{ID: "the orphan's"}); err != nil {
		t.Fatal(err)
	}
	release()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(filepath.Join(dir, result.TrialFile))
	if err != nil || !strings.Contains(string(raw), "the orphan's") {
		t.Errorf("%v: the trial was made again: %s", err, raw)
	}
}

// What a killed process left of an ended trial's workspace goes; a record of failure that cannot be written stops nothing.
func TestWhatIsLeftOfEndedTrialsGoes(t *testing.T) {
	ws, dir := shop(t), t.TempDir()
	l := &lab{score: func(o order) (float64, error) {
		if o.Model == "lightgcn" {
			return 0, os.ErrDeadlineExceeded
		}
		return 0.5, nil
	}}
	x := l.experiment(dir, ws, gridPlan(ws))
	if _, err := x.Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	var ended string
	for id, trial := range x.trials {
		if trial.Model == "bpr" {
			ended = id
		}
	}
	if err := os.MkdirAll(filepath.Join(x.folder(ended), workFolder), 0o755); err != nil {
		t.Fatal(err)
	}
	for id := range x.failed {
		path := filepath.Join(x.folder(id), failedFile)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r, err := l.experiment(dir, ws, gridPlan(ws)).Run(t.Context())
	if err != nil || len(r.Failed) != 1 || len(r.Rows) != 1 {
		t.Errorf("%v: %+v", err, r)
	}
	if _, err := os.Stat(filepath.Join(x.folder(ended), workFolder)); err == nil {
		t.Error("the workspace of an ended trial is still there")
	}
}

// A forecast counts the time of models that were timed, and says of how many trials it knows nothing.
func TestForecastTellsWhatItKnows(t *testing.T) {
	ws, dir := shop(t), t.TempDir()
	l := &lab{score: func(order) (float64, error) { return 0.5, nil }}
	x := l.experiment(dir, ws, gridPlan(ws))
	f, err := x.Forecast(t.Context())
	if err != nil || f.Trials != 8 || f.Untimed != 8 || f.Seconds != 0 || f.Jobs != 3 {
		t.Fatalf("%v: %+v", err, f)
	}
	if _, err := l.experiment(dir, ws, gridPlan(ws)).Run(t.Context()); err != nil {
		t.Fatal(err)
	}
	trials, err := filepath.Glob(filepath.Join(dir, result.TrialsDir, "bpr-*"))
	if err != nil || len(trials) != 5 {
		t.Fatalf("%v: %q", err, trials)
	}
	for _, path := range trials { // all ended trials of bpr took 6 s
		trial, err := result.ReadTrial(dir, filepath.Base(path))
		if err != nil {
			t.Fatal(err)
		}
		trial.Cost.TrainSeconds, trial.Cost.EvalSeconds = 5, 1
		if err := result.Write(filepath.Join(path, result.TrialFile), trial); err != nil {
			t.Fatal(err)
		}
	}
	f, err = l.experiment(dir, ws, gridPlan(ws)).Forecast(t.Context())
	if err != nil || f.Ended != 8 || f.Entries[0].Seconds != 6 || f.Seconds != 0 || f.Untimed != 0 {
		t.Errorf("%v: %+v", err, f)
	}
	more := gridPlan(ws) // four more trials of bpr, at 6 s, three at a time
	more.Seeds = append(more.Seeds, 4, 5, 6, 7)
	if err := os.Remove(filepath.Join(dir, result.PlanFile)); err != nil {
		t.Fatal(err)
	}
	f, err = l.experiment(dir, ws, more).Forecast(t.Context())
	if err != nil || f.Ended != 8 || f.Entries[0].Trials != 9 || f.Seconds < 4*6./3 {
		t.Errorf("%v: %+v", err, f)
	}
}

// A guess that is far too low must not have the garbage collector work for nothing.
func TestCollectorHasRoomForAWrongGuess(t *testing.T) {
	q := newQueue(&Experiment{Jobs: 2, Memory: 1000})
	for needs, want := range map[int64]int64{100: 500, 700: 700, 2000: 1000} {
		if got := q.limit(&job{needs: needs}); got != want {
			t.Errorf("%d are needed of 1000 for two: limit %d, want %d", needs, got, want)
		}
	}
	q.memory = 0
	if got := q.limit(&job{needs: 100}); got != 0 {
		t.Errorf("limit %d where memory is not known", got)
	}
}

// A trial of a model that was never timed, running for longer than others took, makes the time left unknown.
func TestTimeLeftIsUnknownBeforeASlowModelEnds(t *testing.T) {
	q := newQueue(&Experiment{Jobs: 1})
	q.took["d/bpr"], q.total = []float64{10, 20}, 3
	q.done = 2
	slow := &job{order: order{Data: "d", Model: "ease"}, began: time.Now().Add(-5 * time.Second), then: []func(){nil}}
	q.running = []*job{slow}
	if left, ok := q.left(); !ok || left < 9*time.Second || left > 10*time.Second {
		t.Errorf("%v, %v: want the mean of all, 15 s, less 5", left, ok)
	}
	slow.began = time.Now().Add(-time.Minute)
	if left, ok := q.left(); ok {
		t.Errorf("%v left of a trial that is slower than all before it", left)
	}
}
