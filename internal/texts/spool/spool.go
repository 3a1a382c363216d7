// Package spool keeps answers that were paid for while the ledger cannot be written: a full
// disk, a database that is locked, a medium that went read-only. It holds them in memory,
// tries again, has nothing new asked meanwhile, and, when the run ends before the ledger
// takes them, saves them to a folder elsewhere, from which the next run takes them in.
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
	Dir   string                           // folder to save to; "": none, and what cannot be stored when the run ends is lost
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
	reserve *reserve

	mu        sync.Mutex
	waiting   int           // calls of Put that wait for the ledger
	unwritten int           // answers they hold
	writable  chan struct{} // closed when none waits; nil: none waits
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
	if opt.Dir == "" {
		return s, nil
	}
	if err := s.takeIn(ctx); err != nil {
		return nil, err
	}
	s.reserve = setAside(opt.Dir)
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
// that says where they were saved.
func (s *Store) Put(ctx context.Context, generations []texts.Generation) error {
	err := s.Store.Put(ctx, generations)
	if err == nil || ctx.Err() != nil {
		return err
	}
	var unwritable *texts.UnwritableError
	if errors.As(err, &unwritable) {
		if err = s.retry(ctx, generations, err); err == nil {
			return nil
		}
	}
	return s.save(generations, err)
}

// retry tries until the ledger takes the generations, the run ends, or the limit is reached.
func (s *Store) retry(ctx context.Context, generations []texts.Generation, err error) error {
	s.hold(len(generations), err)
	defer s.letGo(len(generations))
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
func (s *Store) hold(answers int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unwritten += answers
	if s.waiting++; s.waiting > 1 {
		return
	}
	s.writable = make(chan struct{})
	hint, _ := usererr.Hint(err)
	s.opt.Note("answers cannot be stored: %v. They are kept in memory and tried again; nothing new is asked meanwhile. %s "+
		"When the program is stopped they are saved to %s", err, hint, s.place())
}

func (s *Store) letGo(answers int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.unwritten -= answers
	if s.waiting--; s.waiting == 0 {
		close(s.writable)
		s.writable = nil
	}
}

func (s *Store) place() string {
	if s.opt.Dir == "" {
		return os.TempDir()
	}
	return s.opt.Dir
}

// save saves what the ledger did not take: into the room set aside, else beside it, else
// into the system's folder for temporary files.
func (s *Store) save(generations []texts.Generation, err error) error {
	raw, encodeErr := encode(generations)
	if encodeErr != nil {
		return errors.Join(err, encodeErr)
	}
	path, saveErr := s.reserve.save(raw)
	if saveErr != nil {
		path, saveErr = saveTo(s.opt.Dir, raw)
	}
	if saveErr != nil {
		var dir string
		if dir, saveErr = os.MkdirTemp("", "mllmrec-answers-"); saveErr == nil {
			path, saveErr = saveTo(dir, raw)
		}
	}
	if saveErr != nil {
		return usererr.Wrap(fmt.Errorf("%w; %d answers are lost, since they could not be saved elsewhere either: %w", err, len(generations), saveErr),
			"Free some space, or name a folder on another disk for answers that cannot be stored.")
	}
	hint := "Run it again when the ledger can be written: it stores them then."
	if filepath.Dir(path) != filepath.Clean(s.opt.Dir) {
		hint = fmt.Sprintf("Run it again with %s %s when the ledger can be written: it stores them then.", usererr.Option("spool"), filepath.Dir(path))
	}
	s.opt.Note("%d answers that the ledger did not take are saved in %s", len(generations), path)
	return usererr.Wrap(fmt.Errorf("%w; %d answers are saved in %s", err, len(generations), path), hint)
}
