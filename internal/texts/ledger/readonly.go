package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"syscall"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// onReadOnlyMedium reports whether the file is there and its file system cannot be written:
// a disc, a snapshot, a mount for reading. Nobody writes there, so that nobody's lock or log
// has to be minded.
func onReadOnlyMedium(path string) bool {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err == nil {
		f.Close() //nolint:errcheck // nothing was written
	}
	return errors.Is(err, syscall.EROFS)
}

// openReadOnly opens a ledger that cannot be written, for reading: without the files that SQLite
// makes beside one. Put fails.
func openReadOnly(ctx context.Context, path, abs string) (*SQLite, error) {
	if log, err := os.Stat(abs + "-wal"); err == nil && log.Size() > 0 {
		return nil, usererr.New("Copy the workspace to a disk that can be written: opened there, the ledger takes the log in.",
			"open ledger %s: the medium is read-only, and beside the ledger is a log of answers that it has not taken in yet", path)
	}
	pragmas := url.Values{"mode": {"ro"}, "immutable": {"1"}, "_pragma": {"temp_store(MEMORY)", "cache_size(-16384)"}}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Path: filepath.ToSlash(abs), RawQuery: pragmas.Encode()}).String())
	if err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", path, err)
	}
	s := &SQLite{db: db, path: path, writer: &writer{db: db}}
	s.readers = newReaders(db, &s.origins)
	version, app, err := fileVersion(ctx, db)
	if err == nil && (version != schemaVersion || app != applicationID) {
		err = usererr.New("Copy the workspace to a disk that can be written: opened there, an earlier format is brought up to date.",
			"it has format %d of application %#x, and is on a read-only medium", version, app)
	}
	if err != nil {
		return nil, errors.Join(s.explain("open", err), db.Close())
	}
	return s, nil
}
