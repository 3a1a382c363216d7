//go:build unix

package atomicfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// TestSweepHelper is the process that TestNextWriteSweepsAfterAKill kills: it writes half
// a file and waits.
func TestSweepHelper(t *testing.T) {
	path := os.Getenv("ATOMICFILE_HELPER")
	if path == "" {
		t.Skip("the helper of another test")
	}
	p, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	write("half")(p) //nolint:errcheck // the flush says it
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Minute)
}

// names lists a folder.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// While its writer lives, a temporary file stays; the first write after a kill removes it,
// however young it is.
func TestNextWriteSweepsAfterAKill(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "table.csv")
	cmd := exec.Command(os.Args[0], "-test.run=^TestSweepHelper$")
	cmd.Env = append(os.Environ(), "ATOMICFILE_HELPER="+path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill() //nolint:errcheck // it is dead by then, unless the test failed
	half := func() bool {
		found, err := filepath.Glob(filepath.Join(dir, ".table.csv.tmp-*"))
		if err != nil || len(found) != 1 {
			return false
		}
		raw, err := os.ReadFile(found[0])
		return err == nil && string(raw) == "half"
	}
	for end := time.Now().Add(20 * time.Second); !half(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("the helper wrote nothing: %v", names(t, dir))
		}
	}
	if err := Write(path, write("of another process")); err != nil {
		t.Fatal(err)
	}
	if !half() {
		t.Errorf("the file of a living writer is gone: %v", names(t, dir))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() //nolint:errcheck // it was killed
	if err := Write(path, write("again")); err != nil {
		t.Fatal(err)
	}
	wantOnly(t, path, "again")
}

// What is not provably ours stays: other names, links, folders and pipes of our names, and
// temporary files of other files.
func TestNextWriteSparesWhatIsNotItsOwn(t *testing.T) {
	dir, outside := t.TempDir(), filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(outside, []byte("precious"), 0o644); err != nil {
		t.Fatal(err)
	}
	stay := []string{"f", "f.tmp-1", ".f", ".f.tmp-", ".f.tmp-UPPER", ".f.tmp-1.txt", ".f.tmp-1.tmp-1", ".g.tmp-1", ".fx.tmp-1", ".f.tmp-12345678901234"}
	for _, name := range slices.Concat(stay, []string{".f.tmp-1", ".f.tmp-zz9"}) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, make := range map[string]func(string) error{
		".f.tmp-link":   func(at string) error { return os.Symlink(outside, at) },
		".f.tmp-pipe":   func(at string) error { return syscall.Mkfifo(at, 0o644) },
		".f.tmp-folder": func(at string) error { return os.Mkdir(at, 0o755) },
	} {
		if err := make(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		stay = append(stay, name)
	}
	if err := Write(filepath.Join(dir, "f"), write("new")); err != nil {
		t.Fatal(err)
	}
	slices.Sort(stay)
	if got := names(t, dir); !slices.Equal(got, stay) {
		t.Errorf("there are %s\nwant %s", strings.Join(got, " "), strings.Join(stay, " "))
	}
	if raw, err := os.ReadFile(outside); err != nil || string(raw) != "precious" {
		t.Errorf("behind a link: %q, %v", raw, err)
	}
}

// Many writers of one file sweep at the same time, and none takes another's file away.
func TestWritersDoNotSweepEachOther(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	var writers sync.WaitGroup
	for range 8 {
		writers.Go(func() {
			for range 25 {
				if err := Write(path, write("whole")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	wantOnly(t, path, "whole")
}
