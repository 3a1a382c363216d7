package sqlitefile

import (
	"fmt"
	"strings"

	sqlite3 "modernc.org/sqlite/lib"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Explain adds the file's name to err and, for faults of the file or the disk, a hint.
func (f *Format) Explain(doing, path string, err error) error {
	if err == nil {
		return nil
	}
	code, e, ok := codeOf(err)
	said, known := inWords[code]
	if !ok || !known {
		return fmt.Errorf("%s %s %s: %w", doing, f.Noun, path, err)
	}
	fill := strings.NewReplacer("{it}", f.Noun, "{kept}", f.Kept, "{remedy}", f.Remedy).Replace
	return usererr.Wrap(&worded{fmt.Sprintf("%s %s %s: %s (%v)", doing, f.Noun, path, fill(said.what), e), err}, fill(said.cure))
}

// MayPass reports whether err is a fault of SQLite's that may pass by itself: a full disk, a
// lock.
func MayPass(err error) bool {
	code, _, ok := codeOf(err)
	return ok && inWords[code].passes
}

// worded is a failure of SQLite's in words.
type worded struct {
	text string
	err  error
}

func (w *worded) Error() string { return w.text }
func (w *worded) Unwrap() error { return w.err }

// inWord says what a code of SQLite's means for the user, what to do, and whether the fault
// may pass by itself.
type inWord struct {
	what, cure string
	passes     bool
}

var inWords = map[int]inWord{
	sqlite3.SQLITE_NOTADB:     {what: "the file is not a {it}", cure: "Move it away, or name another."},
	sqlite3.SQLITE_CORRUPT:    {what: "the {it} is damaged", cure: "Restore it from a copy, or save what is readable with the .recover command of sqlite3."},
	sqlite3.SQLITE_FULL:       {what: "the disk is full", cure: "Free some space: all {kept} stored so far are kept.", passes: true},
	sqlite3.SQLITE_IOERR:      {what: "the disk failed to read or write", cure: "Check the disk and its connection, and the free space: all {kept} stored so far are kept.", passes: true},
	sqlite3.SQLITE_BUSY:       {what: "another process holds the {it}", cure: "Wait for it or stop it.", passes: true},
	sqlite3.SQLITE_LOCKED:     {what: "the {it} is locked by this process", cure: "Run it again.", passes: true},
	sqlite3.SQLITE_READONLY:   {what: "the {it} may only be read", cure: "Make the file and its folder writable, or work on a copy of the workspace.", passes: true},
	sqlite3.SQLITE_CANTOPEN:   {what: "the {it} cannot be opened", cure: "Check that the folder exists and may be written to, and that the process may open more files.", passes: true},
	sqlite3.SQLITE_PERM:       {what: "the {it} must not be opened by you", cure: "Check who owns the file and its folder."},
	sqlite3.SQLITE_AUTH:       {what: "the {it} must not be opened by you", cure: "Check who owns the file and its folder."},
	sqlite3.SQLITE_NOMEM:      {what: "the memory is full", cure: "Ask with fewer requests at a time, or stop other programs.", passes: true},
	sqlite3.SQLITE_TOOBIG:     {what: "a text is longer than a {it} may hold", cure: "{remedy}"},
	sqlite3.SQLITE_PROTOCOL:   {what: "the {it} is locked in a way that does not end", cure: "Put the workspace on a local disk: network file systems lock badly.", passes: true},
	sqlite3.SQLITE_NOLFS:      {what: "the file system cannot hold so large a {it}", cure: "Put the workspace on another disk."},
	sqlite3.SQLITE_SCHEMA:     {what: "another process changed the tables of the {it}", cure: "Run it again."},
	sqlite3.SQLITE_CONSTRAINT: {what: "an entry contradicts the {it}", cure: "The {it} may be damaged. Restore it from a copy."},
}
