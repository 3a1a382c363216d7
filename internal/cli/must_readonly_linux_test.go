package cli

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReadOnlyMediumCanBeRead mounts a finished workspace for reading only. What reads gives
// the same answers as before; what writes says why it cannot, at once.
func TestReadOnlyMediumCanBeRead(t *testing.T) {
	t.Setenv("MLLMREC_CONFIG_DIR", t.TempDir())
	ws := importWordyShop(t, 24, 24)
	ok(t, "run", ws, "--mllm", "offline", "--dim", "4", "--model", "mllmrec", "--set", "epochs=1", "-q")
	reads := [][]string{
		{"evaluate", "WS", "--json"}, {"status", "WS", "--json"}, {"recommend", "WS", "--user", "u1", "--json"}, {"recommend", "WS", "--text", "a mug", "--json"},
		{"describe", "show", "WS", "--json"}, {"reason", "show", "WS", "--json"}, {"graph", "stats", "WS", "--json"},
		{"audit", "WS", "--measure", "off", "--json"}, {"prune", "WS", "--dry-run"},
	}
	answers := func() (all []string) {
		for _, args := range reads {
			args = append([]string(nil), args...)
			for i := range args {
				if args[i] == "WS" {
					args[i] = ws
				}
			}
			code, out, errs := call(t, args...)
			if code != 0 {
				t.Errorf("%v: exit %d: %s", args, code, errs)
			}
			all = append(all, out)
		}
		return all
	}
	before := answers()
	if err := syscall.Mount(ws, ws, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("mounting takes root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(ws, syscall.MNT_DETACH) }) //nolint:errcheck // the folder is temporary
	if err := syscall.Mount("", ws, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("mounting for reading takes root: %v", err)
	}
	if err := os.WriteFile(filepath.Join(ws, "x"), nil, 0o600); err == nil {
		t.Fatal("the workspace can be written: the test tests nothing")
	}
	for i, after := range answers() {
		if after != before[i] {
			t.Errorf("%v says something else on a read-only medium:\n%s\nbefore:\n%s", reads[i], after, before[i])
		}
	}
	out := filepath.Join(t.TempDir(), "x")
	ok(t, "export", "mmrec", ws, "--out", out)
	for _, args := range [][]string{{"run", ws, "--mllm", "offline"}, {"train", ws, "--model", "bpr"}} {
		if code, _, errs := call(t, args...); code == 0 || !strings.Contains(errs, "read-only file system") {
			t.Errorf("%v: exit %d: %s", args, code, errs)
		}
	}
}
