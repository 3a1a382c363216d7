package spool

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const (
	answersPrefix = "answers-"
	answersSuffix = ".jsonl"
	reserveName   = "room-set-aside"
	// reserveSize holds what can be in flight: some hundred answers of a few kilobytes.
	reserveSize = 2 << 20
	// fileLimit bounds what is read of a saved file.
	fileLimit = 1 << 30
)

// encode writes generations as JSON lines, with secrets out as in every store.
func encode(generations []texts.Generation) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	for _, g := range generations {
		g.Redact()
		if err := enc.Encode(g); err != nil {
			return nil, fmt.Errorf("save answers: %w", err)
		}
	}
	return b.Bytes(), nil
}

// newName is a name that no other file has: times are unique within a process, process
// numbers between those that run.
func newName(dir string) string {
	for {
		path := filepath.Join(dir, fmt.Sprintf("%s%s-%d%s", answersPrefix, time.Now().UTC().Format("20060102T150405.000000000"), os.Getpid(), answersSuffix))
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			return path
		}
	}
}

// saveTo writes a new file that only the user may read, and returns when it is on the disk.
// A file that could not be written whole is removed.
func saveTo(dir string, raw []byte) (string, error) {
	if dir == "" {
		return "", errors.New("no folder to save to")
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	path := newName(dir)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(path))
	}
	return path, nil
}

// reserve is a file whose blocks are there when the disk is full.
type reserve struct {
	path    string // under the name of answers while it holds some
	used    int    // bytes from its beginning that hold answers
	pending int    // how often save wrote to it, less the calls of discard
}

// setAside makes the reserve, or none where the folder cannot be written.
func setAside(dir string) *reserve {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil
	}
	path := filepath.Join(dir, reserveName)
	os.Remove(path) //nolint:errcheck // that of a killed run, if any
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil
	}
	_, err = f.Write(make([]byte, reserveSize))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(path) //nolint:errcheck // it is of no use
		return nil
	}
	return &reserve{path: path}
}

// save writes answers behind those that the reserve holds. The rest is empty lines and is not
// given back: on a disk that is full somebody else would take it.
func (r *reserve) save(raw []byte) (string, error) {
	if r == nil || len(raw) > reserveSize-r.used {
		return "", errors.New("no room was set aside")
	}
	f, err := plainfile.OpenForWriting(r.path, os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	block := slices.Concat(raw, bytes.Repeat([]byte("\n"), reserveSize-r.used-len(raw)))
	_, err = f.WriteAt(block, int64(r.used))
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return "", err
	}
	if r.used == 0 {
		path := newName(filepath.Dir(r.path))
		if err := os.Rename(r.path, path); err != nil {
			return "", err
		}
		r.path = path
	}
	r.used += len(raw)
	r.pending++
	return r.path, nil
}

// discard says that answers which save wrote to path are stored, and reports whether they were
// in the reserve. Once all are, it is empty again; until then those that are stored already do no harm.
func (r *reserve) discard(path string) bool {
	if r == nil || r.pending == 0 || r.path != path {
		return false
	}
	if r.pending--; r.pending > 0 {
		return true
	}
	empty := filepath.Join(filepath.Dir(path), reserveName)
	if os.Rename(path, empty) == nil {
		r.path, r.used = empty, 0
	}
	return true
}

func (r *reserve) release() error {
	if r == nil || r.used > 0 {
		return nil
	}
	if err := os.Remove(r.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("give room for answers back: %w", err)
	}
	os.Remove(filepath.Dir(r.path)) //nolint:errcheck // an empty folder goes, one with answers stays
	return nil
}

// takeIn stores the answers that earlier runs saved, and removes each file once all of it is
// in the ledger.
func (s *Store) takeIn(ctx context.Context) error {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look for answers that an earlier run saved: %w", err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), answersPrefix) || !strings.HasSuffix(e.Name(), answersSuffix) {
			continue
		}
		path := filepath.Join(s.dir, e.Name())
		saved, err := read(path)
		if err != nil {
			return usererr.Wrap(fmt.Errorf("answers that an earlier run saved: %w", err), "Move the file away to go on without them.")
		}
		for part := range slices.Chunk(saved, 2000) {
			if err := s.Store.Put(ctx, part); err != nil {
				return fmt.Errorf("store the answers that an earlier run saved in %s: %w", path, err)
			}
		}
		if err := os.Remove(path); err != nil {
			return fmt.Errorf("answers of %s are stored: %w", path, err)
		}
		s.opt.Note("%d answers that an earlier run saved in %s are in the ledger now", len(saved), path)
	}
	return nil
}

// read reads a saved file.
func read(path string) ([]texts.Generation, error) {
	raw, err := plainfile.Read(path, fileLimit)
	if err != nil {
		return nil, err
	}
	var all []texts.Generation
	line := 0
	for text := range bytes.Lines(raw) {
		line++
		if len(bytes.TrimSpace(text)) == 0 { // the rest of the room set aside
			continue
		}
		var g texts.Generation
		dec := json.NewDecoder(bytes.NewReader(text))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&g); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", path, line, err)
		}
		all = append(all, g)
	}
	return all, nil
}
