package image

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
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

// cachePath is where the download of a URL lies in the cache.
func cachePath(key string) string {
	name := hash([]byte(key))
	return filepath.Join("images", name[:2], name)
}

// readCache returns a file of the cache. The cache lies in a workspace, which may be somebody
// else's: what is no regular file, or too large, or lies elsewhere by a link, is not there.
func (l *Loader) readCache(rel string, limit int64) ([]byte, bool) {
	root, err := os.OpenRoot(l.opt.CacheDir)
	if err != nil {
		return nil, false
	}
	defer root.Close()
	data, err := plainfile.ReadIn(root, rel, limit)
	return data, err == nil
}

// cached returns the entry of a URL, or nil if there is no complete one.
func (l *Loader) cached(url string) *entry {
	if l.opt.CacheDir == "" {
		return nil
	}
	data, ok := l.readCache(cachePath(url), maxEntryHeader+l.opt.MaxBytes+1)
	head, body, cut := bytes.Cut(data, []byte("\n"))
	var e entry
	if !ok || !cut || json.Unmarshal(head, &e) != nil || e.URL != url || hash(body) != e.SHA256 {
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
	return l.writeCache(cachePath(e.URL), append(append(head, '\n'), e.data...))
}

func (l *Loader) writeCache(rel string, data []byte) error {
	if err := writeAtomic(l.opt.CacheDir, rel, data); err != nil {
		return CacheError(err)
	}
	return nil
}

// CacheError says that err keeps the cache from being written.
func CacheError(err error) error {
	return usererr.Wrap(fmt.Errorf("%w: %w", ErrCache, err),
		"Free space on the disk or make the folder writable, then start the same run again: it continues where it stopped.")
}

// writeAtomic writes a file in the folder dir, whole or not at all, and through no link that
// leads out of dir.
func writeAtomic(dir, rel string, data []byte) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	folder := filepath.Dir(rel)
	if err := root.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	name := filepath.Join(folder, ".new-"+rand.Text())
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			root.Remove(name) //nolint:errcheck // the first error counts
		}
	}()
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return root.Rename(name, rel)
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
