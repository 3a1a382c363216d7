package cli

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestRunKilledBeforeItBegan finds the folder of a run whose training was killed before
// anything was written to it, or while its configuration was: the run takes its place. A
// folder with anything else in it stays.
func TestRunKilledBeforeItBegan(t *testing.T) {
	train := []string{"--model", "bpr", "--set", "epochs=1"}
	calm := importWordyShop(t, 12, 24)
	want, _ := runJSON(t, calm, train...)
	for name, files := range map[string][]string{"empty": nil, "torn": {".config.json.tmp-1a2b"}, "foreign": {"notes.txt"}} {
		ws := importWordyShop(t, 12, 24)
		folder := filepath.Join(ws, "runs", want.Run.Run)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if err := os.WriteFile(filepath.Join(folder, file), []byte("{"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, _ := runJSON(t, ws, train...)
		if name == "foreign" {
			if got.Run.Run != want.Run.Run+"-2" || !slices.Contains(filesIn(t, ws), "runs/"+want.Run.Run+"/notes.txt") {
				t.Errorf("%s: run %s has taken the place of a folder that is not ours", name, got.Run.Run)
			}
			continue
		}
		if got.Run.Run != want.Run.Run || len(filesUnder(contents(t, ws), "runs/")) != len(filesUnder(contents(t, calm), "runs/")) {
			t.Errorf("%s: run %s, not %s, with %v", name, got.Run.Run, want.Run.Run, filesIn(t, filepath.Join(ws, "runs")))
		}
	}
}
