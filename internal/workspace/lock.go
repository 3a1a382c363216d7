package workspace

import (
	"encoding/json"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Holder says who holds a workspace's lock.
type Holder struct {
	PID     int       `json:"pid"`
	Host    string    `json:"host"`
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// LockedError says that another writer is at work on the workspace.
type LockedError struct {
	Dir    string
	Holder Holder // zero where unknown
}

// Error names the holder.
func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return fmt.Sprintf("workspace %s is being written by another process", e.Dir)
	}
	return fmt.Sprintf("workspace %s is being written by process %d on %s since %s (%s)",
		e.Dir, e.Holder.PID, secret.Line(e.Holder.Host), e.Holder.Since.Local().Format(time.DateTime), secret.Line(e.Holder.Command))
}

// Lock makes this Workspace the only writer until release is called (more than once
// does no harm). A second writer, in this process or another, gets a [LockedError]
// at once. The lock belongs to the process: the kernel frees it when the process
// dies, however it dies. Lock also re-reads the manifest and removes temporary files
// that a killed writer left.
func (w *Workspace) Lock() (release func(), err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lock != nil {
		return nil, w.locked()
	}
	releaseLocked, err := w.acquire()
	if err != nil {
		return nil, err
	}
	w.sweepDrafts()
	done := false
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !done {
			done = true
			releaseLocked()
		}
	}, nil
}

// acquire takes the lock; w.mu is held, here and when the returned function is called.
func (w *Workspace) acquire() (func(), error) {
	l, err := w.tryLock()
	if err != nil {
		return nil, err
	}
	if err := w.reload(); err != nil {
		unlock(w.dir, l)
		return nil, err
	}
	w.sweepTemps()
	w.lock = l
	return func() {
		unlock(w.dir, l)
		w.lock = nil
	}, nil
}

// tryLock takes the folder's lock or returns a LockedError.
func (w *Workspace) tryLock() (*flock.Flock, error) {
	dir := w.dir
	for _, name := range []string{lockFile, holderFile} {
		if _, err := w.Place(name); err != nil {
			return nil, fmt.Errorf("locking the workspace: %w", err)
		}
	}
	l := flock.New(filepath.Join(dir, lockFile), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the workspace %s: %w", dir, err)
	}
	if !ok {
		return nil, w.locked()
	}
	host, _ := os.Hostname() // for people to read; an unknown host is no reason to stop
	args := append([]string{filepath.Base(os.Args[0])}, os.Args[1:]...)
	me := Holder{PID: os.Getpid(), Host: host, Command: secret.Line(strings.Join(args, " ")), Since: time.Now().UTC().Truncate(time.Second)}
	os.Remove(filepath.Join(dir, holderFile)) // of a killed writer, perhaps of an earlier version that let others read it
	if err := writePrivate(filepath.Join(dir, holderFile), me); err != nil {
		l.Unlock()
		return nil, fmt.Errorf("locking the workspace %s: %w", dir, err)
	}
	return l, nil
}

// unlock removes the note first: without the lock it could be the next holder's.
func unlock(dir string, l *flock.Flock) {
	os.Remove(filepath.Join(dir, holderFile))
	l.Unlock()
}

func (w *Workspace) locked() error {
	e := &LockedError{Dir: w.dir}
	if raw, err := w.ReadNote(holderFile); err == nil {
		if json.Unmarshal(raw, &e.Holder) != nil {
			e.Holder = Holder{}
		}
	}
	return usererr.WrapAs(usererr.KindLocked, e, "Wait until it has finished, or stop it; the workspace can be read meanwhile.")
}

// sweepTemps removes what killed writers left. It follows no link out of the workspace.
func (w *Workspace) sweepTemps() {
	folders := []string{".", "texts", "features", "graphs", "batches", "samples", RunsFolder}
	if runs, err := w.List(RunsFolder); err == nil {
		for _, run := range runs {
			folders = append(folders, path.Join(RunsFolder, run.Name()))
		}
	}
	_ = w.root.do(func(root *os.Root) error { // without a folder to look at nothing is left to do
		for _, folder := range folders {
			atomicfile.Sweep(root, folder)
		}
		return nil
	})
}
