package workspace

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestRuns(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	_, err := w.LatestRun()
	wantUserError(t, err, "no finished run")
	if runs, err := w.Runs(); err != nil || len(runs) != 0 {
		t.Errorf("runs %v, %v", runs, err)
	}
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	rec := RunRecord{Model: "mllmrec", Settings: map[string]string{"lr": "0.001"}, Seed: 1<<64 - 1, SplitHash: "s", Provenance: ProvenanceTrainOnly, Created: at}
	for i, id := range []string{"b-newer", "a-older"} {
		r, err := w.NewRun(id)
		if err != nil {
			t.Fatal(err)
		}
		rec := rec
		rec.Created = at.Add(-time.Duration(i) * time.Hour)
		if err := r.WriteRecord(rec); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(w.Path(RunsFolder, "never-began"), 0o777); err != nil {
		t.Fatal(err)
	}
	runs, err := w.Runs()
	if err != nil || len(runs) != 2 || runs[0].ID != "a-older" || runs[1].ID != "b-newer" {
		t.Fatalf("runs %v, %v; want a-older, b-newer", runs, err)
	}
	got, err := runs[1].Record()
	want := rec
	want.ID = "b-newer"
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("record (%v):\n%s", err, diff)
	}
	metrics := map[string]float64{"recall@20": 0.0505}
	if err := runs[1].WriteMetrics(metrics); err != nil {
		t.Fatal(err)
	}
	var back map[string]float64
	if err := runs[1].Metrics(&back); err != nil || !cmp.Equal(back, metrics) {
		t.Errorf("metrics %v, %v", back, err)
	}
	err = w.RecordStage(StageTrain, Stage{Outputs: map[string]string{runs[0].Rel(RunConfigFile): ""}, Info: RunInfo("a-older")})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := mustOpen(t, w.Dir()).LatestRun(); err != nil || r.ID != "a-older" {
		t.Errorf("latest run %v, %v", r, err)
	}

	_, err = w.NewRun("a-older")
	wantUserError(t, err, "exists already")
	_, err = w.Run("missing")
	wantUserError(t, err, "run missing", "known: a-older, b-newer")
	for _, id := range []string{"", "..", "a/b", `a\b`, ".hidden", "-flag", "ü", strings.Repeat("x", 101)} {
		_, err := w.NewRun(id)
		wantUserError(t, err, "no name for a run")
	}
	put(t, w, "runs/a-older/config.json", "{\n\"id\": ")
	_, err = w.Runs()
	wantUserError(t, err, "run a-older", "config.json", "line 2")
}

func TestRunID(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("east", 3600))
	id := RunID("mllmrec", at, map[string]int{"seed": 1})
	if !strings.HasPrefix(id, "mllmrec-20260304-040607-") || len(id) != len("mllmrec-20260304-040607-abcdef") || checkRunID(id) != nil {
		t.Errorf("id %q", id)
	}
	if id == RunID("mllmrec", at, map[string]int{"seed": 2}) {
		t.Error("other settings, same id")
	}
}

func TestImagePath(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	abs := filepath.Join(t.TempDir(), "x.png")
	for image, want := range map[string]string{
		"": "", "a/b.png": filepath.Join(w.Dir(), ImagesFolder, "a", "b.png"), abs: abs,
		"https://x.org/a.png": "https://x.org/a.png", "data:image/png;base64,AA": "data:image/png;base64,AA",
		"12:30.png": filepath.Join(w.Dir(), ImagesFolder, "12:30.png"),
	} {
		if got := w.ImagePath(image); got != want {
			t.Errorf("%q: %q, want %q", image, got, want)
		}
	}
}
