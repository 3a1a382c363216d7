package training_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

func paid(t *testing.T) *workspace.Workspace {
	t.Helper()
	dir := t.TempDir()
	workspacetest.Unpack(t, filepath.Join("..", "..", "workspace", "testdata", "format1.tar.gz"), dir)
	ws, err := workspace.Open(filepath.Join(dir, "paid.ws"))
	if err != nil {
		t.Fatal(err)
	}
	return ws
}

// train trains with a new session. Progress cancels where stop says so.
func train(t *testing.T, ws *workspace.Workspace, opt training.Options, force bool, stop func(message string) bool) (string, error) {
	t.Helper()
	st, err := training.New(opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	e := stage.NewEngine(stage.NewSession(ws, func(ev stage.Event) {
		if stop != nil && stop(ev.Message) {
			cancel()
		}
	}), st)
	e.Force = force
	return e.Make(ctx, workspace.KindRun)
}

func file(t *testing.T, ws *workspace.Workspace, address, name string) string {
	t.Helper()
	raw, err := os.ReadFile(ws.Path(address, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// A model trained again is that of version 0.1 to the last byte.
func TestRunsAreThoseOfVersion01(t *testing.T) {
	ws := paid(t)
	for was, opt := range map[string]training.Options{
		"runs/bpr-c568bef4":      {Model: "bpr", Seed: 1, Settings: []string{"embedding_dim=4", "epochs=2"}},
		"runs/lightgcn-ff308c48": {Model: "lightgcn", Seed: 1, Settings: []string{"embedding_dim=4", "epochs=2"}},
		"runs/mllmrec-04220adc":  {Model: "mllmrec", Seed: 1, Settings: []string{"embedding_dim=4", "epochs=3"}},
	} {
		got, err := train(t, ws, opt, true, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{workspace.RunUsersFile, workspace.RunItemsFile, workspace.RunModelFile} {
			if got == was || file(t, ws, got, name) != file(t, ws, was, name) {
				t.Errorf("%s of %s is not that of %s", name, got, was)
			}
		}
		run, address, err := training.Find(ws, "")
		if err != nil || address != got || run.Finished == nil || run.From[workspace.KindData] != workspace.DataAddress || len(run.Epochs) == 0 {
			t.Errorf("%s: %+v, %v", address, run, err)
		}
	}
}

// An interrupted run goes on where it was, and ends as if nothing had happened.
func TestInterruptedRunGoesOn(t *testing.T) {
	opt := training.Options{Model: "lightgcn", Seed: 5, Settings: []string{"embedding_dim=4", "epochs=6"}}
	whole, broken := paid(t), paid(t)
	want, err := train(t, whole, opt, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, err = train(t, broken, opt, false, func(message string) bool { return strings.Contains(message, "epoch 3 ") })
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "run "+path.Base(want)+": training stopped after epoch 3") {
		t.Fatal(err)
	}
	_, _, err = training.Find(broken, path.Base(want))
	if usererr.StageOf(err) != workspace.StageTrain || !strings.Contains(err.Error(), "is not finished") {
		t.Errorf("looking for the interrupted run: %v", err)
	}
	got, err := train(t, broken, opt, false, nil)
	if err != nil || got != want {
		t.Fatalf("%s, %v; want %s", got, err, want)
	}
	for _, name := range []string{workspace.RunUsersFile, workspace.RunItemsFile, workspace.RunModelFile} {
		if file(t, broken, got, name) != file(t, whole, want, name) {
			t.Errorf("%s differs from that of an uninterrupted run", name)
		}
	}
	a, _, err := training.Find(whole, "")
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := training.Find(broken, "")
	if err != nil || b.ResumedFrom != 3 || a.ResumedFrom != 0 || len(b.Epochs) != 6 {
		t.Errorf("resumed from %d, %d epochs, %v", b.ResumedFrom, len(b.Epochs), err)
	}
	if diff := cmp.Diff(a.Test, b.Test); diff != "" {
		t.Error(diff)
	}
	// The user may want a new one instead.
	if _, err = train(t, broken, training.Options{Model: "lightgcn", Seed: 6, Settings: opt.Settings}, false, func(m string) bool { return strings.Contains(m, "epoch 2 ") }); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	fresh, err := train(t, broken, training.Options{Model: "lightgcn", Seed: 6, Settings: opt.Settings, Fresh: true}, false, nil)
	if err != nil || !strings.HasSuffix(fresh, "-2") {
		t.Errorf("%s, %v", fresh, err)
	}
}

// The run that version 0.1 was killed in goes on from its last epoch.
func TestInterruptedRunOfVersion01GoesOn(t *testing.T) {
	ws := paid(t)
	const begun = "runs/bpr-b4d967a1"
	done := strings.Count(file(t, ws, begun, "log.jsonl"), "\n")
	epoch := regexp.MustCompile(`epoch (\d+) `)
	first := 0
	_, err := train(t, ws, training.Options{Model: "bpr", Seed: 2, Settings: []string{"embedding_dim=4", "epochs=100000", "patience=100000"}}, false, func(message string) bool {
		if m := epoch.FindStringSubmatch(message); m != nil && first == 0 {
			first, _ = strconv.Atoi(m[1])
		}
		return first > 0
	})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "run "+path.Base(begun)+": training stopped after epoch") {
		t.Fatal(err)
	}
	if done < 10 || first != done+1 {
		t.Errorf("went on with epoch %d after %d", first, done)
	}
}

// A model asks for what it reads, no more.
func TestNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		opt  training.Options
		want []workspace.Kind
	}{
		"bpr":          {training.Options{Model: "bpr"}, []workspace.Kind{workspace.KindData}},
		"mllmrec":      {training.Options{Model: "mllmrec"}, []workspace.Kind{workspace.KindData, workspace.KindUserVectors, workspace.KindItemVectors, workspace.KindItemGraph}},
		"no reasoning": {training.Options{Model: "mllmrec", Settings: []string{"variant=no_reasoning"}}, []workspace.Kind{workspace.KindData, workspace.KindItemVectors, workspace.KindItemGraph}},
		"no graph":     {training.Options{Model: "mllmrec", Settings: []string{"variant=no_gcn"}}, []workspace.Kind{workspace.KindData, workspace.KindUserVectors, workspace.KindItemVectors}},
		"pool":         {training.Options{Model: "pool"}, []workspace.Kind{workspace.KindData, workspace.KindItemVectors}},
		"pool of ids":  {training.Options{Model: "pool", Settings: []string{"seed=random"}}, []workspace.Kind{workspace.KindData}},
	} {
		st, err := training.New(c.opt)
		if err != nil {
			t.Fatal(err)
		}
		var got []workspace.Kind
		for _, n := range st.Needs() {
			got = append(got, n.Kind)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s needs %v, want %v", name, got, c.want)
		}
	}
}

func TestNewRejects(t *testing.T) {
	for name, c := range map[string]struct {
		opt  training.Options
		want string
	}{
		"unknown model":   {training.Options{Model: "gpt"}, "gpt"},
		"no value":        {training.Options{Model: "bpr", Settings: []string{"epochs"}}, `"epochs" has no value`},
		"given twice":     {training.Options{Model: "bpr", Settings: []string{"epochs=1", "epochs=2"}}, "epochs is given twice"},
		"unknown setting": {training.Options{Model: "bpr", Settings: []string{"heads=2"}}, "heads"},
		"no number":       {training.Options{Model: "bpr", Settings: []string{"epochs=many"}}, "many"},
	} {
		if _, err := training.New(c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Equal settings in another order are the same run; other settings are another one.
func TestSettingsDecideTheRun(t *testing.T) {
	ws := paid(t)
	for settings, want := range map[string]string{"epochs=2,embedding_dim=4": "runs/bpr-c568bef4", "embedding_dim=4,epochs=2": "runs/bpr-c568bef4"} {
		got, err := train(t, ws, training.Options{Model: "bpr", Seed: 1, Settings: strings.Split(settings, ",")}, false, nil)
		if err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", settings, got, err, want)
		}
	}
	other, err := train(t, ws, training.Options{Model: "bpr", Seed: 1, Settings: []string{"embedding_dim=4", "epochs=1"}}, false, nil)
	if err != nil || other == "runs/bpr-c568bef4" {
		t.Errorf("%s, %v", other, err)
	}
	list, err := training.List(ws)
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, r := range list {
		ids = append(ids, fmt.Sprint(r.ID, " ", r.Finished))
	}
	want := []string{"mllmrec-04220adc true", "bpr-c568bef4 true", "lightgcn-ff308c48 true", "bpr-b4d967a1 false", path.Base(other) + " true"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("runs, the earliest first (-want +got):\n%s", diff)
	}
}

// A kill after the metrics were written and before the manifest was leaves a whole run that
// nothing records. The same command goes on with it, trains nothing, and records just that.
func TestRunKilledBeforeTheManifestGoesOn(t *testing.T) {
	ws := paid(t)
	manifest := ws.Path("workspace.json")
	before, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	opt := training.Options{Model: "lightgcn", Seed: 5, Settings: []string{"embedding_dim=4", "epochs=3"}}
	address, err := train(t, ws, opt, false, nil)
	if err != nil {
		t.Fatal(err)
	}
	files := []string{workspace.RunUsersFile, workspace.RunItemsFile, workspace.RunModelFile, workspace.RunMetricsFile, workspace.RunConfigFile}
	want := map[string]string{}
	for _, name := range files {
		want[name] = file(t, ws, address, name)
	}
	if err := os.WriteFile(manifest, before, 0o600); err != nil {
		t.Fatal(err)
	}
	if ws, err = workspace.Open(ws.Dir()); err != nil {
		t.Fatal(err)
	}
	if _, recorded := ws.Artefact(address); recorded {
		t.Fatal("the run is recorded: the test tests nothing")
	}
	epochs := 0
	again, err := train(t, ws, opt, false, func(message string) bool {
		if strings.Contains(message, "· loss") {
			epochs++
		}
		return false
	})
	if err != nil || again != address || epochs != 0 {
		t.Fatalf("%s, %v after %d epochs; want %s after none", again, err, epochs, address)
	}
	for _, name := range files {
		if file(t, ws, address, name) != want[name] {
			t.Errorf("%s is not what it was", name)
		}
	}
	if a, recorded := ws.Artefact(address); !recorded || a.InputHash == "" {
		t.Errorf("recorded: %v, %+v", recorded, a)
	}
}
