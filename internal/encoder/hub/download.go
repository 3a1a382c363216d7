package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gofrs/flock"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// file downloads one file into the cache and links it into the snapshot.
func (p *puller) file(ctx context.Context, commit, name string) error {
	address := p.opt.Endpoint + "/" + p.repo + "/resolve/" + commit + "/" + escapePath(name)
	r, err := p.stat(ctx, address)
	if err != nil {
		return err
	}
	unlock, err := p.lock(ctx, r.etag)
	if err != nil {
		return err
	}
	defer unlock()
	if info, err := os.Stat(p.cache.blob(r.etag)); err == nil && info.Size() == r.size {
		p.opt.Progress(Progress{name, r.size, r.size, true})
		return p.cache.link(commit, name, r.etag)
	}
	if err := p.download(ctx, address, name, r); err != nil {
		return err
	}
	return p.cache.link(commit, name, r.etag)
}

// lock takes the lock for a blob, which is the one that the Python tools use.
func (p *puller) lock(ctx context.Context, etag string) (func(), error) {
	path := filepath.Join(p.opt.CacheDir, ".locks", filepath.Base(p.cache.dir()), etag+".lock")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("create the model cache: %w", err)
	}
	l := flock.New(path)
	if ok, err := l.TryLockContext(ctx, lockPoll); err != nil || !ok {
		return nil, fmt.Errorf("wait for another download of the same file: %w", err)
	}
	return func() { _ = l.Unlock() }, nil // it is also released when the process ends
}

// download downloads a file to <blob>.incomplete, continuing where an earlier try stopped, and
// renames it when its hash is correct.
func (p *puller) download(ctx context.Context, address, name string, r remote) error {
	blob := p.cache.blob(r.etag)
	if err := os.MkdirAll(filepath.Dir(blob), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(blob+".incomplete", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // after success it is closed already
	err = p.retry(ctx, func() error {
		have, err := f.Seek(0, io.SeekEnd)
		if err != nil {
			return err
		}
		if have > r.size {
			if err := f.Truncate(0); err != nil {
				return err
			}
			have = 0
		}
		if have == r.size {
			return nil
		}
		return p.transfer(ctx, f, have, address, name, r)
	})
	if err != nil {
		return err
	}
	if err := verify(f, r); err != nil {
		return errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), blob)
}

// transfer appends to f, which holds the first have bytes.
func (p *puller) transfer(ctx context.Context, f *os.File, have int64, address, name string, r remote) error {
	header := http.Header{"Accept-Encoding": {"identity"}}
	want := http.StatusOK
	if have > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", have))
		want = http.StatusPartialContent
	}
	res, err := p.do(ctx, http.MethodGet, address, header, p.opt.Client)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	start, from := have, res.Header.Get("Content-Range")
	switch {
	case have > 0 && (res.StatusCode == http.StatusOK || res.StatusCode == http.StatusRequestedRangeNotSatisfiable ||
		res.StatusCode == http.StatusPartialContent && !strings.HasPrefix(from, "bytes "+strconv.FormatInt(have, 10)+"-")):
		start = 0 // the server does not resume: begin again
		if err := f.Truncate(0); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if res.StatusCode != http.StatusOK {
			return transient(errors.New("the server does not resume the transfer"))
		}
	default:
		if err := p.status(res, want); err != nil {
			return err
		}
	}
	n, err := io.Copy(f, &progressReader{r: io.LimitReader(res.Body, r.size-start+1), done: start, report: func(done int64) {
		p.opt.Progress(Progress{File: name, Done: min(done, r.size), Total: r.size})
	}})
	switch got := start + n; {
	case errors.As(err, new(*os.PathError)): // a failure of the disk, not the network
		return err
	case err != nil:
		return transient(fmt.Errorf("the transfer failed after %d of %d bytes: %w", got, r.size, withoutURL(err)))
	case got != r.size:
		return transient(fmt.Errorf("the transfer ended after %d of %d bytes", got, r.size))
	}
	return nil
}

type progressReader struct {
	r      io.Reader
	done   int64
	report func(int64)
}

func (m *progressReader) Read(b []byte) (int, error) {
	n, err := m.r.Read(b)
	m.done += int64(n)
	m.report(m.done)
	return n, err
}

// verify compares a downloaded file with the hash that names it. ETags of other kinds, which
// some mirrors send, do not depend on the content; of such files only the size is checked.
func verify(f *os.File, r remote) error {
	var sum hash.Hash
	switch raw, err := hex.DecodeString(r.etag); {
	case err == nil && len(raw) == sha256.Size:
		sum = sha256.New()
	case err == nil && len(raw) == sha1.Size:
		sum = sha1.New()
		fmt.Fprintf(sum, "blob %d\x00", r.size)
	default:
		return nil
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(sum, f); err != nil {
		return err
	}
	if got := hex.EncodeToString(sum.Sum(nil)); got != strings.ToLower(r.etag) {
		return usererr.New("The damaged copy was removed. Download the model again; if that fails too, set HF_ENDPOINT to another mirror.",
			"the content's hash is %s, the hub names it %s", got, r.etag)
	}
	return nil
}
