package cache

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"os"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const magic = "MLLMVEC1"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func (c *Cache) recordSize() int { return 32 + 4*c.dim + 4 }

// header is magic, dimensions, length of the encoder's id, the id and a checksum.
func (c *Cache) header() []byte {
	id := c.inner.ID()
	h := append([]byte(magic), make([]byte, 8)...)
	binary.LittleEndian.PutUint32(h[8:], uint32(c.dim))
	binary.LittleEndian.PutUint32(h[12:], uint32(len(id)))
	h = append(h, id...)
	return binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
}

func appendRecord(buf []byte, key [32]byte, vector []float32) []byte {
	start := len(buf)
	buf = append(buf, key[:]...)
	for _, v := range vector {
		buf = binary.LittleEndian.AppendUint32(buf, math.Float32bits(v))
	}
	return binary.LittleEndian.AppendUint32(buf, crc32.Checksum(buf[start:], castagnoli))
}

// whole reports whether a record's checksum is correct.
func whole(record []byte) bool {
	end := len(record) - 4
	return crc32.Checksum(record[:end], castagnoli) == binary.LittleEndian.Uint32(record[end:])
}

// open reads the index of a cache file, or starts a new one.
func (c *Cache) open(path string) error {
	f, err := plainfile.OpenForWriting(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	c.file = f
	if err := c.load(); err != nil {
		return fmt.Errorf("%s: %w", path, errors.Join(err, f.Close()))
	}
	return nil
}

func (c *Cache) load() error {
	want := c.header()
	c.start = int64(len(want))
	r := bufio.NewReaderSize(c.file, 1<<20)
	have := make([]byte, len(want))
	n, err := io.ReadFull(r, have)
	switch {
	case err == nil && bytes.Equal(have, want):
	case (err == io.EOF || err == io.ErrUnexpectedEOF) && bytes.HasPrefix(want, have[:n]): // new, or the header was not written completely
		if err := c.file.Truncate(0); err != nil {
			return err
		}
		if _, err := c.file.WriteAt(want, 0); err != nil {
			return err
		}
		return c.file.Sync()
	case err != nil && err != io.ErrUnexpectedEOF:
		return err
	default:
		return usererr.New("Delete the file. The vectors will be computed again.", "this is no vector cache of the encoder %s", c.inner.ID())
	}
	return c.index(r)
}

// index reads the keys of undamaged records and cuts off an incomplete one at the end.
func (c *Cache) index(r io.Reader) error {
	record := make([]byte, c.recordSize())
	for {
		_, err := io.ReadFull(r, record)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return err
		}
		if whole(record) {
			c.rows[[32]byte(record)] = c.next
		} else {
			c.stats.Damaged++
		}
		c.next++
	}
	return c.file.Truncate(c.start + c.next*int64(c.recordSize()))
}

// append adds records and syncs the file. After a failure it cuts the new records off.
func (c *Cache) append(records []byte) error {
	end := c.start + c.next*int64(c.recordSize())
	_, err := c.file.WriteAt(records, end)
	if err == nil {
		err = c.file.Sync()
	}
	if err == nil {
		return nil
	}
	err = fmt.Errorf("writing the vector cache: %w", err)
	if cut := c.file.Truncate(end); cut != nil {
		c.err = errors.Join(err, cut)
	}
	return err
}

// read fills vector from a record.
func (c *Cache) read(row int64, buf []byte, key [32]byte, vector []float32) error {
	if _, err := c.file.ReadAt(buf, c.start+row*int64(len(buf))); err != nil {
		return fmt.Errorf("reading the vector cache: %w", err)
	}
	if !whole(buf) || [32]byte(buf) != key {
		return fmt.Errorf("reading the vector cache %s: record %d was changed while in use", c.file.Name(), row)
	}
	for j := range vector {
		vector[j] = math.Float32frombits(binary.LittleEndian.Uint32(buf[32+4*j:]))
	}
	return nil
}
