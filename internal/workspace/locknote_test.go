//go:build unix

package workspace

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The note of who holds the lock says no password of the command line, and only its owner
// reads it, also where an earlier version left one that everybody could.
func TestLockNoteIsPrivate(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	note := w.Path(holderFile)
	if err := os.WriteFile(note, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	args := os.Args
	defer func() { os.Args = args }()
	os.Args = []string{"mllmrec", "describe", "ws", "--store", "postgres://u:hunter2@db/x?sslpassword=hunter3"}
	release, err := w.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	raw, err := os.ReadFile(note)
	if err != nil || strings.Contains(string(raw), "hunter") || !strings.Contains(string(raw), "postgres://u:[redacted]@db/x") {
		t.Errorf("%v: %s", err, raw)
	}
	for _, path := range []string{note, w.Path(lockFile)} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", path, info.Mode(), err)
		}
	}
	_, err = mustOpen(t, w.Dir()).Lock()
	if err == nil || strings.Contains(err.Error(), "hunter") {
		t.Errorf("the next writer hears %v", err)
	}
}

// What killed writers left is swept in the workspace's own folders, and nowhere else.
func TestSweepFollowsNoLinks(t *testing.T) {
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	outside, long := t.TempDir(), time.Now().Add(-time.Hour)
	if err := os.Symlink(outside, w.Path("texts")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(w.Path("graphs"), 0o755); err != nil {
		t.Fatal(err)
	}
	theirs, ours := filepath.Join(outside, ".x.tmp-1"), w.Path("graphs", ".x.tmp-1")
	for _, path := range []string{theirs, ours} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, long, long); err != nil {
			t.Fatal(err)
		}
	}
	release, err := w.Lock()
	if err != nil {
		t.Fatal(err)
	}
	release()
	if _, err := os.Stat(theirs); err != nil {
		t.Errorf("a file outside was removed: %v", err)
	}
	if _, err := os.Stat(ours); err == nil {
		t.Error("a file of a killed writer is left")
	}
}
