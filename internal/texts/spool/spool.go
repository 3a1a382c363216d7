// Package spool keeps answers that were paid for while the ledger cannot be written: a full
// disk, a database that is locked, a medium that went read-only. It saves them to a folder
// elsewhere, tries the ledger again, and has nothing new asked meanwhile. When the run ends,
// or is killed, before the ledger takes them, the next run takes them in from there.
package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Options of a spooling store.
type Options struct {
	Base  string                           // folder to save in, for all workspaces; "": a new one among the system's temporary files, of which the user is told
	Name  string                           // of the folder in it that is this workspace's own
	Note  func(format string, args ...any) // tells the user; may be nil
	First time.Duration                    // before the ledger is tried again, doubled up to 30 s; 0 = 1 s
	Limit time.Duration                    // how long it is tried before the run is ended; 0 = 15 min
}

const maxPause = 30 * time.Second

// Store is a ledger whose Put waits until the ledger can be written, and saves what it
// could not write. The other methods are those of the ledger.
type Store struct {
	texts.Store
	run     context.Context // ends where the user stops the run: what is unwritten is then saved
	opt     Options
	dir     string // Base/Name; "": none
	reserve *reserve

	mu       sync.Mutex
	waiting  int           // calls of Put that wait for the ledger
	writable chan struct{} // closed when none waits; nil: none waits
}

// Open wraps a ledger for the run of ctx, and first stores in it what earlier runs saved. It
// sets room aside in the folder, since that may be on the disk that fills up.
func Open(ctx context.Context, ledger texts.Store, opt Options) (*Store, error) {
	if opt.First <= 0 {
		opt.First = time.Second
	}
	if opt.Limit <= 0 {
		opt.Limit = 15 * time.Minute
	}
	if opt.Note == nil {
		opt.Note = func(string, ...any) {}
	}
	s := &Store{Store: ledger, run: ctx, opt: opt}
	if opt.Base == "" {
		return s, nil
	}
	s.dir = filepath.Join(opt.Base, opt.Name)
	if err := s.takeIn(ctx); err != nil {
		return nil, err
	}
	s.reserve = setAside(s.dir)
	return s, nil
}

// Close gives the room back and closes the ledger.
func (s *Store) Close() error { return errors.Join(s.reserve.release(), s.Store.Close()) }

// Ready waits while answers wait for the ledger: what is asked then would be paid for and
// might not be kept. It returns an error where the run ends first.
func (s *Store) Ready(ctx context.Context) error {
	s.mu.Lock()
	writable := s.writable
	s.mu.Unlock()
	if writable == nil {
		return ctx.Err()
	}
	select {
	case <-writable:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Put implements texts.Store. It returns when the generations are stored, or with an error
// that says where they are saved.
func (s *Store) Put(ctx context.Context, generations []texts.Generation) error {
	err := s.Store.Put(ctx, generations)
	if err == nil || ctx.Err() != nil {
		return err
	}
	// At once, not only at the end: the process may be killed while it waits.
	path, saveErr := s.save(generations)
	var unwritable *texts.UnwritableError
	if errors.As(err, &unwritable) {
		if err = s.retry(ctx, generations, err); err == nil {
			return s.discard(path)
		}
	}
	if saveErr != nil { // there may be room by now
		path, saveErr = s.save(generations)
	}
	return s.explain(len(generations), path, err, saveErr)
}

// retry tries until the ledger takes the generations, the run ends, or the limit is reached.
func (s *Store) retry(ctx context.Context, generations []texts.Generation, err error) error {
	s.hold(err)
	defer s.letGo()
	giveUp := time.NewTimer(s.opt.Limit)
	defer giveUp.Stop()
	for pause := s.opt.First; err != nil; pause = min(2*pause, maxPause) {
		again, last := time.NewTimer(pause), false
		select {
		case <-again.C:
		case <-giveUp.C:
			last = true
		case <-s.run.Done():
			last = true
		case <-ctx.Done():
			last = true
		}
		again.Stop()
		// Answers that were paid for are stored though the call they came with is over.
		if err = s.Store.Put(context.WithoutCancel(ctx), generations); last {
			return err
		}
	}
	s.opt.Note("the ledger takes answers again: %d stored", len(generations))
	return nil
}

// hold has Ready wait, and tells the user once.
func (s *Store) hold(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting++; s.waiting > 1 {
		return
	}
	s.writable = make(chan struct{})
	hint, _ := usererr.Hint(err)
	s.opt.Note("answers cannot be stored: %v. They are kept, and tried again; nothing new is asked meanwhile. %s", err, hint)
}

func (s *Store) letGo() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting--; s.waiting == 0 {
		close(s.writable)
		s.writable = nil
	}
}

// save saves what the ledger did not take: into the room set aside, else beside it, else
// into the system's folder for temporary files.
func (s *Store) save(generations []texts.Generation) (path string, err error) {
	raw, err := encode(generations)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if path, err = s.reserve.save(raw); err == nil {
		return path, nil
	}
	if path, err = saveTo(s.dir, raw); err == nil {
		return path, nil
	}
	base, err := os.MkdirTemp("", "mllmrec-answers-")
	if err != nil {
		return "", err
	}
	if path, err = saveTo(filepath.Join(base, s.opt.Name), raw); err != nil {
		os.RemoveAll(base) //nolint:errcheck // a folder for temporary files without any
	}
	return path, err
}

// discard removes what was saved of answers that the ledger has now; room that was set aside is
// set aside again.
func (s *Store) discard(path string) error {
	if path == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reserve.discard(path) {
		return nil
	}
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("answers of %s are in the ledger now: %w", path, err)
	}
	if dir := filepath.Dir(path); dir != s.dir {
		os.Remove(dir)               //nolint:errcheck // folders for temporary files that are empty now
		os.Remove(filepath.Dir(dir)) //nolint:errcheck // as above
	}
	return nil
}

// explain says with the ledger's error where the answers are.
func (s *Store) explain(answers int, path string, err, saveErr error) error {
	if saveErr != nil {
		return usererr.Wrap(fmt.Errorf("%w; %d answers are lost, since they could not be saved elsewhere either: %w", err, answers, saveErr),
			"Free some space, or name a folder on another disk for answers that cannot be stored.")
	}
	hint := "Run it again when the ledger can be written: it stores them then."
	if dir := filepath.Dir(path); dir != s.dir {
		hint = fmt.Sprintf("Run it again with %s %s when the ledger can be written: it stores them then.", usererr.Option("spool"), filepath.Dir(dir))
	}
	s.opt.Note("%d answers that the ledger did not take are saved in %s", answers, path)
	return usererr.Wrap(fmt.Errorf("%w; %d answers are saved in %s", err, answers, path), hint)
}
