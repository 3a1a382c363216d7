package image

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// entry is one cached download: a file with a line of JSON, then the bytes as downloaded.
// It is one file so that the two always belong together.
type entry struct {
	URL          string    `json:"url"`
	ETag         string    `json:"etag,omitempty"`
	LastModified string    `json:"last_modified,omitempty"`
	Fetched      time.Time `json:"fetched"`
	SHA256       string    `json:"sha256"`

	data []byte
}

// ErrCache says that the cache cannot be written. It ends a run, since every further picture
// would fail in the same way.
var ErrCache = errors.New("write the image cache")

const maxEntryHeader = 64 << 10

func (l *Loader) cachePath(key string) string {
	sum := sha256.Sum256([]byte(key))
	name := hex.EncodeToString(sum[:])
	return filepath.Join(l.opt.CacheDir, "images", name[:2], name)
}

// cached returns the entry of a URL, or nil if there is no complete one.
func (l *Loader) cached(url string) *entry {
	if l.opt.CacheDir == "" {
		return nil
	}
	f, err := plainfile.Open(l.cachePath(url))
	if err != nil {
		return nil
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEntryHeader+l.opt.MaxBytes+1))
	if err != nil {
		return nil
	}
	head, body, ok := bytes.Cut(data, []byte("\n"))
	var e entry
	if !ok || json.Unmarshal(head, &e) != nil || e.URL != url || hash(body) != e.SHA256 {
		return nil
	}
	e.data = body
	return &e
}

// keep writes an entry. A cache that cannot be written is an error, because a run of days
// would download every picture again.
func (l *Loader) keep(e *entry) error {
	if l.opt.CacheDir == "" {
		return nil
	}
	head, err := json.Marshal(e)
	if err != nil {
		return err
	}
	if len(head) > maxEntryHeader {
		return nil // not for an absurdly long URL or ETag
	}
	return writeCache(l.cachePath(e.URL), append(append(head, '\n'), e.data...))
}

func writeCache(path string, data []byte) error {
	if err := writeAtomic(path, data); err != nil {
		return CacheError(err)
	}
	return nil
}

// CacheError says that err keeps the cache from being written.
func CacheError(err error) error {
	return usererr.Wrap(fmt.Errorf("%w: %w", ErrCache, err),
		"Free space on the disk or make the folder writable, then start the same run again: it continues where it stopped.")
}

func writeAtomic(path string, data []byte) (err error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".new-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
