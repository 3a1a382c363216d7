package workspace

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLockTurnsSecondWriterAway(t *testing.T) {
	a := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	b := mustOpen(t, a.Dir())
	release, err := a.Lock()
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range []*Workspace{a, b} {
		_, err := w.Lock()
		wantUserError(t, err, a.Dir(), fmt.Sprintf("process %d on ", os.Getpid()), filepath.Base(os.Args[0]))
		var l *LockedError
		if !errors.As(err, &l) || time.Since(l.Holder.Since) > time.Hour {
			t.Errorf("holder %+v", l)
		}
	}
	wantUserError(t, b.Record("runs/x", Artefact{Kind: KindRun, Stage: StageTrain}), "record runs/x", "is being written")
	if err := a.Record("runs/x", Artefact{Kind: KindRun, Stage: StageTrain}); err != nil {
		t.Errorf("the holder itself: %v", err)
	}
	if _, err := b.Dataset(); err != nil {
		t.Errorf("a reader: %v", err)
	}
	release()
	release() // does no harm
	if ok, _ := exists(a.Path(holderFile)); ok {
		t.Error("the holder's note is still there")
	}
	again, err := b.Lock()
	if err != nil {
		t.Fatal(err)
	}
	release() // nor does it free another's lock
	if _, err := a.Lock(); err == nil {
		t.Error("a stale release freed the lock")
	}
	again()
}

func TestLockWithoutNote(t *testing.T) {
	a := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	release, err := a.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	put(t, a, holderFile, `{"pid": 12`) // torn
	_, err = mustOpen(t, a.Dir()).Lock()
	wantUserError(t, err, "by another process")
}

const lockDir = "MLLMREC_TEST_LOCK_DIR"

// TestLockHelper is the process that TestKilledHolder kills.
func TestLockHelper(t *testing.T) {
	dir := os.Getenv(lockDir)
	if dir == "" {
		t.Skip("runs as a child process only")
	}
	if _, err := mustOpen(t, dir).Lock(); err != nil {
		t.Fatal(err)
	}
	fmt.Println("locked")
	time.Sleep(time.Minute)
}

// The kernel frees a killed holder's lock; its note does no harm.
func TestKilledHolder(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a process")
	}
	w := mustCreate(t, filepath.Join(t.TempDir(), "ws"))
	cmd := exec.Command(os.Args[0], "-test.run=^TestLockHelper$")
	cmd.Env = append(os.Environ(), lockDir+"="+w.Dir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for s := bufio.NewScanner(out); s.Scan() && !strings.Contains(s.Text(), "locked"); {
	}
	_, err = w.Lock()
	wantUserError(t, err, fmt.Sprintf("process %d on", cmd.Process.Pid))
	cmd.Process.Kill()
	cmd.Wait()
	if ok, _ := exists(w.Path(holderFile)); !ok {
		t.Error("the test wants the dead holder's note to be there")
	}
	release, err := w.Lock()
	if err != nil {
		t.Fatalf("after the holder was killed: %v", err)
	}
	release()
}
