package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/model/modeltest"
	"github.com/mllmrec/mllmrec/internal/nn/autograd"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// interrupted calls a function in the middle of an epoch.
type interrupted struct {
	model.Model
	steps, at int
	interrupt func()
}

func (m *interrupted) Loss(t *autograd.Tape, b model.Batch) *autograd.Var {
	if m.steps++; m.steps == m.at {
		m.interrupt()
	}
	return m.Model.Loss(t, b)
}

// StartEpoch keeps the draws of a model that makes them.
func (m *interrupted) StartEpoch(epoch int) error {
	if s, ok := m.Model.(model.EpochStarter); ok {
		return s.StartEpoch(epoch)
	}
	return nil
}

// The resume tests all run this: 8 steps an epoch, so that step 27 lies in the
// middle of epoch 4.
func resumeOptions(dir string, resume bool) train.Options {
	return train.Options{Epochs: 7, BatchSize: 64, LR: 0.01, LRDecay: 0.9, WeightDecay: 1e-5, Seed: 4, Dir: dir, Resume: resume}
}

const interruptAt = 27

// undisturbed is what every interrupted run must come to.
func undisturbed(t *testing.T, name string) (*train.Result, []float32, string) {
	t.Helper()
	data, dir := modeltest.Make(tiny, 1), t.TempDir()
	m := mustBuild(t, name, data.Inputs)
	res, err := train.Run(t.Context(), m, data.Inputs, eval.NewJudge(data.Dataset), resumeOptions(dir, false))
	if err != nil {
		t.Fatal(err)
	}
	return res, params(m), dir
}

func resume(t *testing.T, name, dir string) (*train.Result, []float32) {
	t.Helper()
	data := modeltest.Make(tiny, 1)
	m := mustBuild(t, name, data.Inputs)
	res, err := train.Run(t.Context(), m, data.Inputs, eval.NewJudge(data.Dataset), resumeOptions(dir, true))
	if err != nil {
		t.Fatal(err)
	}
	return res, params(m)
}

func checkResumed(t *testing.T, name, dir string) {
	t.Helper()
	want, wantParams, wantDir := undisturbed(t, name)
	got, gotParams := resume(t, name, dir)
	if got.ResumedFrom != 3 {
		t.Errorf("%s: resumed from epoch %d, want 3", name, got.ResumedFrom)
	}
	sameOutcome(t, name, want, got)
	if !slices.Equal(wantParams, gotParams) {
		t.Errorf("%s: weights differ from the undisturbed run's", name)
	}
	// The files agree as well, but for the seconds in them.
	a, b := weights(t, name, wantDir), weights(t, name, dir)
	if !slices.Equal(a, b) {
		t.Errorf("%s: saved weights differ", name)
	}
	if n := logLines(t, dir); n != len(want.Epochs) {
		t.Errorf("%s: %d lines in the log of %d epochs", name, n, len(want.Epochs))
	}
}

func weights(t *testing.T, name, dir string) []float32 {
	t.Helper()
	m := mustBuild(t, name, modeltest.Make(tiny, 1).Inputs)
	tensors, _, err := arrayfile.ReadSafetensors(filepath.Join(dir, train.ModelFile))
	if err != nil {
		t.Fatal(err)
	}
	var all []float32
	for _, p := range m.Params() {
		all = append(all, tensors[p.Name].Data...)
	}
	return all
}

func logLines(t *testing.T, dir string) int {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(dir, train.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	for k, line := range lines {
		var e train.Epoch
		if err := json.Unmarshal(line, &e); err != nil || e.Epoch != k+1 || e.Valid["recall@20"] == 0 && e.Loss == 0 {
			t.Errorf("log line %d: %+v (%v)", k+1, e, err)
		}
	}
	return len(lines)
}

func TestResumeAfterCancel(t *testing.T) {
	for _, name := range modeltest.Trained() {
		for _, procs := range []int{1, 2} {
			old := runtime.GOMAXPROCS(procs)
			dir, data := t.TempDir(), modeltest.Make(tiny, 1)
			ctx, cancel := context.WithCancel(t.Context())
			m := &interrupted{Model: mustBuild(t, name, data.Inputs), at: interruptAt, interrupt: cancel}
			res, err := train.Run(ctx, m, data.Inputs, eval.NewJudge(data.Dataset), resumeOptions(dir, false))
			if !errors.Is(err, context.Canceled) || res.Stopped != train.StoppedCancelled || len(res.Epochs) != 3 || m.steps != interruptAt {
				t.Fatalf("%s: cancelled run gave %+v after %d steps, %v", name, res, m.steps, err)
			}
			checkResumed(t, name, dir)
			runtime.GOMAXPROCS(old)
		}
	}
}

const killEnv = "MLLMREC_TEST_KILL_IN"

// TestKilledHelper is the process that TestResumeAfterKill kills: a run that ends
// itself without warning in the middle of an epoch.
func TestKilledHelper(t *testing.T) {
	dir, name, ok := strings.Cut(os.Getenv(killEnv), "|")
	if !ok {
		t.Skip("runs as a child of TestResumeAfterKill only")
	}
	data := modeltest.Make(tiny, 1)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	m := &interrupted{Model: mustBuild(t, name, data.Inputs), at: interruptAt, interrupt: func() {
		_ = self.Kill()
		select {}
	}}
	_, err = train.Run(t.Context(), m, data.Inputs, eval.NewJudge(data.Dataset), resumeOptions(dir, false))
	t.Fatalf("survived: %v", err)
}

func TestResumeAfterKill(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, procs := range []string{"1", "2"} {
		for _, name := range modeltest.Trained() {
			dir := t.TempDir()
			cmd := exec.Command(exe, "-test.run=^TestKilledHelper$")
			cmd.Env = append(os.Environ(), killEnv+"="+dir+"|"+name, "GOMAXPROCS="+procs)
			out, err := cmd.CombinedOutput()
			if err == nil || bytes.Contains(out, []byte("survived")) {
				t.Fatalf("the child was not killed: %v\n%s", err, out)
			}
			checkResumed(t, name, dir)
		}
	}
}

// A crash may come between the checkpoint and the files that follow from it.
func TestResumeMendsTheOtherFiles(t *testing.T) {
	want, wantParams, dir := undisturbed(t, "bpr")
	if err := os.Remove(filepath.Join(dir, train.ModelFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, train.LogFile), []byte(`{"epoch":1,"lo`), 0o666); err != nil {
		t.Fatal(err)
	}
	got, gotParams := resume(t, "bpr", dir)
	sameOutcome(t, "finished run", want, got)
	if !slices.Equal(wantParams, gotParams) || !slices.Equal(weights(t, "bpr", dir), wantParams) {
		t.Error("the best weights were not restored")
	}
	if n := logLines(t, dir); n != len(want.Epochs) {
		t.Errorf("%d lines in the log of %d epochs", n, len(want.Epochs))
	}
}

func TestResumeWithMoreEpochs(t *testing.T) {
	data := modeltest.Make(tiny, 1)
	run := func(dir string, epochs int, resume bool) (*train.Result, []float32) {
		opt := resumeOptions(dir, resume)
		opt.Epochs = epochs
		m := mustBuild(t, "mllmrec", data.Inputs)
		res, err := train.Run(t.Context(), m, data.Inputs, eval.NewJudge(data.Dataset), opt)
		if err != nil {
			t.Fatal(err)
		}
		return res, params(m)
	}
	dir := t.TempDir()
	run(dir, 2, false)
	got, gotParams := run(dir, 6, true)
	want, wantParams := run(t.TempDir(), 6, false)
	sameOutcome(t, "two epochs and four more", want, got)
	if !slices.Equal(gotParams, wantParams) {
		t.Error("weights differ from those of six epochs at once")
	}
}

func TestTrainedRunIsNotOverwritten(t *testing.T) {
	_, _, dir := undisturbed(t, "bpr")
	before, err := os.ReadFile(filepath.Join(dir, train.LastFile))
	if err != nil {
		t.Fatal(err)
	}
	data := modeltest.Make(tiny, 1)
	_, err = train.Run(t.Context(), mustBuild(t, "bpr", data.Inputs), data.Inputs, eval.NewJudge(data.Dataset), resumeOptions(dir, false))
	if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), "trained before") {
		t.Errorf("error %v", err)
	}
	if after, err := os.ReadFile(filepath.Join(dir, train.LastFile)); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the checkpoint was touched (%v)", err)
	}
}

func TestForeignCheckpointIsRefused(t *testing.T) {
	_, _, dir := undisturbed(t, "mllmrec")
	for _, c := range []struct {
		want   string
		change func(*modeltest.Data, *train.Options) (name string, settings map[string]string)
	}{
		{"lr was", func(_ *modeltest.Data, o *train.Options) (string, map[string]string) { o.LR = 0.02; return "", nil }},
		{"batch_size was", func(_ *modeltest.Data, o *train.Options) (string, map[string]string) {
			o.BatchSize = 32
			return "", nil
		}},
		{"seed was", func(_ *modeltest.Data, o *train.Options) (string, map[string]string) { o.Seed++; return "", nil }},
		{"init_seed was", func(d *modeltest.Data, _ *train.Options) (string, map[string]string) { d.Inputs.Seed++; return "", nil }},
		{"model was", func(*modeltest.Data, *train.Options) (string, map[string]string) { return "bpr", nil }},
		{"model.init was", func(*modeltest.Data, *train.Options) (string, map[string]string) {
			return "mllmrec", map[string]string{"embedding_dim": "8", "init": "xavier"}
		}},
		{"inputs was", func(d *modeltest.Data, _ *train.Options) (string, map[string]string) {
			d.Inputs.Preferences.Data[0]++
			return "", nil
		}},
		{"inputs was", func(d *modeltest.Data, _ *train.Options) (string, map[string]string) {
			d.Inputs.Graph.Values[0]++
			return "", nil
		}},
		{"split was", func(d *modeltest.Data, _ *train.Options) (string, map[string]string) {
			labelledtest.Edit(d.Dataset, func(rows []dataset.Interaction) {
				rows[0].Label, rows[1].Label = dataset.Valid, dataset.Test
			})
			d.Inputs.Train = d.Dataset.TrainHistories()
			return "", nil
		}},
	} {
		data, opt := modeltest.Make(tiny, 1), resumeOptions(dir, true)
		name, settings := c.change(data, &opt)
		if name == "" {
			name = "mllmrec"
		}
		if settings == nil {
			settings = map[string]string{"embedding_dim": "8"}
		}
		m, err := model.New(name, data.Inputs, settings)
		if err != nil {
			t.Fatal(err)
		}
		_, err = train.Run(t.Context(), m, data.Inputs, eval.NewJudge(data.Dataset), opt)
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), "another run: ") || name == "mllmrec" && !strings.Contains(err.Error(), c.want) {
			t.Errorf("want a refusal with %q, got %v", c.want, err)
		}
	}
}

func TestDamagedCheckpointIsReported(t *testing.T) {
	_, _, good := undisturbed(t, "bpr")
	raw, err := os.ReadFile(filepath.Join(good, train.LastFile))
	if err != nil {
		t.Fatal(err)
	}
	data := modeltest.Make(tiny, 1)
	for what, content := range map[string][]byte{
		"empty":            {},
		"half":             raw[:len(raw)/2],
		"one byte short":   raw[:len(raw)-1],
		"header cut":       raw[:40],
		"not safetensors":  []byte("this is no checkpoint at all, it is a letter"),
		"tensor missing":   bytes.Replace(raw, []byte(`"adam.v.item_embedding"`), []byte(`"adam.w.item_embedding"`), 1),
		"state unreadable": bytes.Replace(raw, []byte(`\"format\":1`), []byte(`\"format\":x`), 1),
		"newer format":     bytes.Replace(raw, []byte(`\"format\":1`), []byte(`\"format\":7`), 1),
	} {
		if bytes.Equal(content, raw) {
			t.Fatalf("%s: nothing was damaged", what)
		}
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, train.LastFile), content, 0o666); err != nil {
			t.Fatal(err)
		}
		_, err := train.Run(t.Context(), mustBuild(t, "bpr", data.Inputs), data.Inputs, eval.NewJudge(data.Dataset), resumeOptions(dir, true))
		if _, ok := usererr.Hint(err); !ok || !strings.Contains(err.Error(), train.LastFile) {
			t.Errorf("%s: error %v, want a user error that names the file", what, err)
		}
	}
}

func TestUnwritableRunFolderIsReported(t *testing.T) {
	data := modeltest.Make(tiny, 1)
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	_, _, err := trained(t, t.Context(), "bpr", data, train.Options{Dir: filepath.Join(file, "run")})
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("error %v", err)
	}
}
