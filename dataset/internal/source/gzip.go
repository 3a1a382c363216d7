package source

import (
	"bufio"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// members reads the members of a gzip file one after the other. Zeros behind a member,
// with which tapes and block-wise writers fill up, are passed over, as gzip itself does.
type members struct {
	path string
	in   *bufio.Reader
	z    *gzip.Reader
}

func newMembers(path string, in *bufio.Reader) (*members, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &members{path, in, z}, nil
}

func (m *members) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if n > 0 || !errors.Is(err, io.EOF) {
			if errors.Is(err, io.EOF) {
				err = nil // found again by the next call
			}
			return n, err
		}
		if err := m.next(); err != nil {
			return 0, err
		}
	}
}

// next goes to the next member, or returns io.EOF.
func (m *members) next() error {
	for {
		c, err := m.in.ReadByte()
		switch {
		case err != nil:
			return err
		case c == 0:
			continue
		case c != 0x1f:
			return usererr.Of(usererr.KindDamaged, "Download or copy the file again, or compress it again.",
				"%s: bytes that are no gzip data follow the end of the gzip data", m.path)
		}
		if err := m.in.UnreadByte(); err != nil {
			return err
		}
		if err := m.z.Reset(m.in); err != nil {
			return err
		}
		m.z.Multistream(false)
		return nil
	}
}
