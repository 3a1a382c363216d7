// Package cache stores the vectors of texts on disk, by encoder and text, so that only new
// and changed texts are encoded and an interrupted run continues where it stopped. These
// are the vectors of Eq. 5 and 13.
//
// Each encoder has one append-only file: a header that names the encoder, then one record a
// text (SHA-256 of the text, float32 vector, CRC-32C). When the file is opened, an incomplete
// record at its end is cut off and damaged records are ignored.
package cache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Options of a cache; the zero value is usable.
type Options struct {
	// Progress is called after each block, with how many of the texts that had to be encoded
	// are done.
	Progress func(done, total int)
	// Block is the number of texts encoded between two writes; 512 when 0.
	Block int
}

// Stats counts what Encode did since Open.
type Stats struct {
	Texts   int `json:"texts"`   // asked for
	Cached  int `json:"cached"`  // found in the file, or earlier in the same call
	Encoded int `json:"encoded"` // computed
	Damaged int `json:"damaged"` // damaged records, which Open ignored
}

// Cache is an encoder.Encoder that stores the vectors of another one. It is safe for
// concurrent use; calls run one after the other.
type Cache struct {
	inner encoder.Encoder
	opt   Options
	dim   int

	mu    sync.Mutex
	file  *os.File
	lock  *flock.Flock
	start int64              // of the first record
	rows  map[[32]byte]int64 // record number by text
	next  int64              // records in the file
	stats Stats
	err   error // of a write that may have damaged the file
}

var _ encoder.Encoder = (*Cache)(nil)

// filePath returns the path of an encoder's cache file in a folder.
func filePath(dir string, enc encoder.Encoder) string {
	sum := sha256.Sum256([]byte(enc.ID()))
	return filepath.Join(dir, fmt.Sprintf("vectors-%x.cache", sum[:8]))
}

// Open opens or creates the cache of an encoder in a folder. The file is locked until Close:
// opening it in a second process is an error of the user.
func Open(dir string, enc encoder.Encoder, opt Options) (*Cache, error) {
	if opt.Block <= 0 {
		opt.Block = 512
	}
	if opt.Progress == nil {
		opt.Progress = func(int, int) {}
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("making the vector cache: %w", err)
	}
	path := filePath(dir, enc)
	c := &Cache{inner: enc, opt: opt, dim: enc.Dim(), rows: map[[32]byte]int64{}, lock: flock.New(path + ".lock")}
	ok, err := c.lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("locking the vector cache: %w", err)
	}
	if !ok {
		return nil, usererr.New("Wait until it has finished.", "another process is encoding into %s", path)
	}
	if err := c.open(path); err != nil {
		return nil, fmt.Errorf("opening the vector cache: %w", errors.Join(err, c.lock.Unlock()))
	}
	return c, nil
}

// Dim returns the length of a vector.
func (c *Cache) Dim() int { return c.dim }

// ID is that of the inner encoder.
func (c *Cache) ID() string { return c.inner.ID() }

// Stats returns the counts so far.
func (c *Cache) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.stats
}

// Close releases the file.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return errors.Join(c.file.Close(), c.lock.Unlock())
}

// Encode returns the inner encoder's vectors. It computes and stores missing ones in blocks,
// so that when ctx ends the finished blocks are kept.
func (c *Cache) Encode(ctx context.Context, texts []string) (*tensor.Matrix, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	keys := make([][32]byte, len(texts))
	var missing []int
	planned := map[[32]byte]bool{}
	for i, text := range texts {
		keys[i] = sha256.Sum256([]byte(text))
		if _, ok := c.rows[keys[i]]; !ok && !planned[keys[i]] {
			planned[keys[i]] = true
			missing = append(missing, i)
		}
	}
	for lo := 0; lo < len(missing); lo += c.opt.Block {
		block := missing[lo:min(lo+c.opt.Block, len(missing))]
		if err := c.encode(ctx, texts, keys, block); err != nil {
			return nil, err
		}
		c.opt.Progress(lo+len(block), len(missing))
	}
	out := tensor.New(len(texts), c.dim)
	buf := make([]byte, c.recordSize())
	for i, key := range keys {
		if err := c.read(c.rows[key], buf, key, out.Row(i)); err != nil {
			return nil, err
		}
	}
	c.stats.Texts += len(texts)
	c.stats.Cached += len(texts) - len(missing)
	c.stats.Encoded += len(missing)
	return out, ctx.Err()
}

// encode computes and appends the vectors of some of the texts.
func (c *Cache) encode(ctx context.Context, texts []string, keys [][32]byte, block []int) error {
	part := make([]string, len(block))
	for k, i := range block {
		part[k] = texts[i]
	}
	vectors, err := c.inner.Encode(ctx, part)
	if err != nil {
		return err
	}
	if vectors.Rows != len(part) || vectors.Cols != c.dim {
		return fmt.Errorf("the encoder %s gave a %d×%d matrix for %d texts of %d dimensions", c.ID(), vectors.Rows, vectors.Cols, len(part), c.dim)
	}
	for k := range vectors.Data {
		if v := float64(vectors.Data[k]); math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("the encoder %s gave %v for text %d", c.ID(), v, block[k/c.dim])
		}
	}
	buf := make([]byte, 0, len(block)*c.recordSize())
	for k, i := range block {
		buf = appendRecord(buf, keys[i], vectors.Row(k))
	}
	if err := c.append(buf); err != nil {
		return err
	}
	for _, i := range block {
		c.rows[keys[i]] = c.next
		c.next++
	}
	return nil
}
