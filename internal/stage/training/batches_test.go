package training

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

func mustNew(t *testing.T, opt Options) *Stage {
	t.Helper()
	st, err := New(opt)
	if err != nil {
		t.Fatal(err)
	}
	return st
}

func TestWhoseBatchesGrow(t *testing.T) {
	const many = 3_000_000
	for _, c := range []struct {
		opt   Options
		batch int
		lr    float64
	}{
		{Options{Model: "lightgcn"}, 32768, 4e-3},
		{Options{Model: "lightgcn", Batches: "auto", Settings: []string{"lr=0.01"}}, 32768, 0.01},
		{Options{Model: "lightgcn", Batches: "published"}, 2048, 1e-3},
		{Options{Model: "lightgcn", Settings: []string{"batch_size=512"}}, 512, 1e-3},
		{Options{Model: "mllmrec", Settings: []string{"variant=ui_gcn"}}, 32768, 4e-3},
		{Options{Model: "mllmrec"}, 2048, 1e-3},
		{Options{Model: "bpr"}, 2048, 1e-3},
		{Options{Model: "bpr", Batches: "grown"}, 32768, 4e-3},
	} {
		st := mustNew(t, c.opt)
		if got := st.sized(many); got.BatchSize != c.batch || got.LR != c.lr {
			t.Errorf("%+v: batch size %d, lr %v; want %d, %v", c.opt, got.BatchSize, got.LR, c.batch, c.lr)
		}
		if changed := len(st.grown(many)) > 0; changed != (c.batch == 32768) {
			t.Errorf("%+v: the record says of growing: %v", c.opt, changed)
		}
		if small := st.grown(118551); len(small) > 0 {
			t.Errorf("%+v: on data of the size of Amazon Baby the record is another: %v", c.opt, small)
		}
	}
	for _, opt := range []Options{
		{Model: "lightgcn", Batches: "grown", Settings: []string{"batch_size=9"}},
		{Model: "lightgcn", Batches: "published", Settings: []string{"batch_size=9"}},
		{Model: "bpr", Batches: "huge"},
	} {
		if _, err := New(opt); err == nil || !strings.Contains(err.Error(), `option "batches"`) {
			t.Errorf("%+v: error %v", opt, err)
		} else if _, user := usererr.Hint(err); !user {
			t.Errorf("%+v: %v is not the user's error", opt, err)
		}
	}
}

// grownRun trains with batches that grow from single pairs, so that they grow on small data.
func grownRun(t *testing.T, ws *workspace.Workspace, stop string) (string, []string, error) {
	t.Helper()
	st := mustNew(t, Options{Model: "lightgcn", Seed: 3, Batches: "grown", Settings: []string{"embedding_dim=8", "epochs=4"}})
	st.trainer.BatchSize = 1
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var said []string
	e := stage.NewEngine(stage.NewSession(ws, func(ev stage.Event) {
		said = append(said, ev.Message)
		if stop != "" && strings.Contains(ev.Message, stop) {
			cancel()
		}
	}), st)
	address, err := e.Make(ctx, workspace.KindRun)
	return address, said, err
}

// A run with grown batches is another than one with published ones, says so, and goes on
// after an interruption as if nothing had happened.
func TestGrownRunGoesOn(t *testing.T) {
	open := func() *workspace.Workspace {
		dir := t.TempDir()
		workspacetest.Unpack(t, filepath.Join("..", "..", "workspace", "testdata", "format1.tar.gz"), dir)
		ws, err := workspace.Open(filepath.Join(dir, "paid.ws"))
		if err != nil {
			t.Fatal(err)
		}
		return ws
	}
	whole, broken := open(), open()
	want, said, err := grownRun(t, whole, "")
	if err != nil {
		t.Fatal(err)
	}
	if text := strings.Join(said, "\n"); !strings.Contains(text, " in place of 1") || !strings.Contains(text, `option "batches" published`) {
		t.Errorf("said nothing of larger batches:\n%s", text)
	}
	a, _ := whole.Artefact(want)
	if a.Options["grown.batch_size"] == "" || a.Options["grown.lr"] == "" {
		t.Errorf("recorded options %v", a.Options)
	}
	run, _, err := Find(whole, path.Base(want))
	if err != nil || run.Config["batch_size"] != a.Options["grown.batch_size"] || run.Config["lr"] != a.Options["grown.lr"] {
		t.Errorf("trained with %v, %v", run.Config, err)
	}
	if _, _, err := grownRun(t, broken, "epoch 2 "); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	got, _, err := grownRun(t, broken, "")
	if err != nil || got != want {
		t.Fatalf("%s, %v; want %s", got, err, want)
	}
	if again, _, err := Find(broken, path.Base(got)); err != nil || again.ResumedFrom != 2 {
		t.Errorf("resumed from %d, %v", again.ResumedFrom, err)
	}
	for _, name := range []string{workspace.RunUsersFile, workspace.RunItemsFile, workspace.RunModelFile} {
		x, err := os.ReadFile(whole.Path(want, name))
		if err != nil {
			t.Fatal(err)
		}
		if y, err := os.ReadFile(broken.Path(got, name)); err != nil || string(x) != string(y) {
			t.Errorf("%s differs from that of an uninterrupted run (%v)", name, err)
		}
	}
}

// watched feeds the steps of an epoch to a watch and returns what it says.
func watched(t *testing.T, opt Options, interactions int, each time.Duration, epoch, upTo int) (notes []string, shown []stage.Event) {
	t.Helper()
	st := mustNew(t, opt)
	b := &stage.Build{Session: &stage.Session{Observe: func(e stage.Event) {
		if e.End {
			notes = append(notes, e.Message)
		} else {
			shown = append(shown, e)
		}
	}}, Stage: workspace.StageTrain}
	trainer := st.sized(interactions)
	watch := st.watch(b, trainer, interactions)
	steps := trainer.StepsFor(interactions)
	for done := 1; done <= min(upTo, steps); done++ {
		s := train.Step{Epoch: epoch, Done: done, Steps: steps, Batch: trainer.BatchSize, Elapsed: time.Duration(done) * each}
		if done > 1 {
			s.Left = max(1, time.Duration(steps-done)*each)
		}
		watch(s)
	}
	return notes, shown
}

func TestLongEpochsAreAnnouncedAndShown(t *testing.T) {
	const many = 3_000_000
	for name, c := range map[string]struct {
		opt   Options
		each  time.Duration
		n     int
		notes []string // parts of the one note; none: no note
		shown bool
	}{
		"short":               {Options{Model: "bpr"}, 5 * time.Millisecond, many, nil, false},
		"above ten seconds":   {Options{Model: "bpr"}, 20 * time.Millisecond, many, nil, true},
		"a minute and more":   {Options{Model: "lightgcn", Batches: "published"}, time.Second, many, []string{"about 24 min: 1465 steps of 1.0 s for 2048", "22 epochs at the earliest, in 8h57m", `option "batches" grown makes it 92 steps of 32768 pairs`}, true},
		"already grown":       {Options{Model: "lightgcn"}, time.Second, many, []string{"about 1.5 min: 92 steps of 1.0 s for 32768", `option "set" batch_size=65536`}, true},
		"a size of one's own": {Options{Model: "lightgcn", Settings: []string{"batch_size=1024", "patience=3"}}, time.Second, many, []string{"about 49 min: 2930 steps", "5 epochs at the earliest, in 4h04m", `option "set" batch_size=2048`}, true},
		"few slow steps":      {Options{Model: "bpr"}, 8 * time.Second, 20000, []string{"about 1.3 min: 10 steps of 8.0 s", `option "set" batch_size=4096`}, true},
	} {
		notes, shown := watched(t, c.opt, c.n, c.each, 1, 1<<30)
		if len(notes) != min(1, len(c.notes)) {
			t.Errorf("%s: notes %q", name, notes)
		}
		for _, want := range c.notes {
			if len(notes) == 1 && !strings.Contains(notes[0], want) {
				t.Errorf("%s: %q lacks %q", name, notes[0], want)
			}
		}
		if (len(shown) > 0) != c.shown {
			t.Errorf("%s: %d events of progress", name, len(shown))
		}
		for k, e := range shown {
			if e.Done+int(e.Left/c.each) != e.Total || e.ETA() <= 0 || k > 0 && e.Elapsed-shown[k-1].Elapsed < time.Second {
				t.Errorf("%s: event %+v", name, e)
			}
		}
	}
	// It is said before it happens: after the first steps, and once.
	notes, _ := watched(t, Options{Model: "lightgcn", Batches: "published"}, many, time.Second, 1, 3)
	if len(notes) != 1 {
		t.Errorf("after three steps of a second: %q", notes)
	}
	// An epoch in which too few steps are left to be the earliest end says nothing of it.
	if notes, _ = watched(t, Options{Model: "bpr"}, many, time.Second, 30, 5); len(notes) != 1 || strings.Contains(notes[0], "at the earliest") {
		t.Errorf("in epoch 30: %q", notes)
	}
}
