package cli

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A model that needs two modalities is refused before anything is written or encoded, whether the data offer one
// alone or the list names one; a model with heads for two is refused three in the same way.
func TestTooFewModalitiesAreRefusedBeforeAnythingIsComputed(t *testing.T) {
	ws := importWordyShop(t, 24, 48)
	before := filesIn(t, ws)
	for model, does := range map[string]string{"smore": "fuses", "gume": "compares"} {
		for _, more := range [][]string{nil, {"--set", "modalities=text"}} {
			args := append([]string{"run", ws, "--model", model, "--mllm", "offline", "--dim", "6"}, more...)
			code, stdout, stderr := call(t, args...)
			if code != exitUser || !strings.Contains(stderr, "model "+model+" "+does+" two modalities, not 1") || !strings.Contains(stderr, "import vectors of another one") {
				t.Errorf("%v: exit %d: %s%s", args, code, stdout, stderr)
			}
			for _, stage := range []string{"describe", "reason", "encode", "train"} {
				if strings.Contains(stderr, stage+" ") {
					t.Errorf("%v speaks of %s: %s", args, stage, stderr)
				}
			}
		}
	}
	if after := filesIn(t, ws); !slices.Equal(before, after) {
		t.Errorf("the workspace holds %v, before %v", after, before)
	}

	dir := t.TempDir()
	for _, name := range []string{"visual", "audio"} {
		numbers(t, filepath.Join(dir, name+".npy"), items, 4, 1)
	}
	three := filepath.Join(dir, "ws")
	ok(t, "import", "mmrec", "--inter", interactions(t, dir), "--out", three, "--item-features", "visual="+filepath.Join(dir, "visual.npy"),
		"--item-features", "audio="+filepath.Join(dir, "audio.npy"), "--item-features", filepath.Join(dir, "visual.npy"))
	code, _, stderr := call(t, "train", three, "--model", "slmrec")
	if code != exitUser || !strings.Contains(stderr, "heads for two modalities, not 3") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
