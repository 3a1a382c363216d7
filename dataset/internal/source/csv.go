package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// CSV reads records of comma- or tab-separated values: fields may be quoted with
// double quotes ("" inside stands for one), and quoted fields may hold separators and
// line breaks. A quote inside an unquoted field is an ordinary character.
type CSV struct {
	lines *Lines
	comma byte
	buf   []byte // the record; fields point into it
	cells [][]byte
	start int   // line the record begins on
	at    []int // 1-based byte in the record's first line (0 on later lines) where each cell begins
}

// NewCSV returns a reader of f's records, with fields separated by comma.
func NewCSV(f *File, comma byte) *CSV { return &CSV{lines: NewLines(f), comma: comma} }

// Line returns the 1-based line on which the current record begins.
func (c *CSV) Line() int { return c.start }

// Column returns the byte at which field i of the current record begins on its first
// line, or 0 where it begins on a later one.
func (c *CSV) Column(i int) int { return c.at[i] }

// Next returns the fields of the next record, valid until the next call, io.EOF at the
// end, or a row error (after which reading may go on). Blank lines are passed over. A
// quote that never closes is no row's fault, but the file's.
func (c *CSV) Next() ([][]byte, error) {
	for {
		line, err := c.lines.Next()
		c.start = c.lines.Number()
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		c.buf = append(c.buf[:0], line...)
		c.cells, c.at = c.cells[:0], c.at[:0]
		if bytes.IndexByte(c.buf, '"') < 0 {
			c.plain()
			return c.cells, nil
		}
		return c.quoted()
	}
}

// plain splits a record without quotes.
func (c *CSV) plain() {
	at := 0
	for {
		i := bytes.IndexByte(c.buf[at:], c.comma)
		c.at = append(c.at, at+1)
		if i < 0 {
			c.cells = append(c.cells, c.buf[at:])
			return
		}
		c.cells = append(c.cells, c.buf[at:at+i])
		at += i + 1
	}
}

// quoted splits a record with quotes, reading on while one is open. Field bounds are
// kept as offsets until the end, since the buffer may move while it grows.
func (c *CSV) quoted() ([][]byte, error) {
	firstLine := len(c.buf)
	var bounds [][2]int
	pos := 0
	for {
		start := pos
		if start <= firstLine {
			c.at = append(c.at, start+1)
		} else {
			c.at = append(c.at, 0)
		}
		if pos == len(c.buf) || c.buf[pos] != '"' {
			if i := bytes.IndexByte(c.buf[pos:], c.comma); i >= 0 {
				pos += i
			} else {
				pos = len(c.buf)
			}
			bounds = append(bounds, [2]int{start, pos})
		} else {
			from, to, next, err := c.quotedField(pos)
			if err != nil {
				return nil, err
			}
			bounds = append(bounds, [2]int{from, to})
			pos = next
		}
		if pos == len(c.buf) {
			break
		}
		if c.buf[pos] != c.comma {
			return nil, Bad(c.at[len(c.at)-1], "field %d: text after the closing quote", len(bounds))
		}
		pos++
	}
	for _, b := range bounds {
		c.cells = append(c.cells, c.buf[b[0]:b[1]])
	}
	return c.cells, nil
}

// quotedField unquotes, in place, the field that opens at pos; next is the position
// after its closing quote.
func (c *CSV) quotedField(pos int) (from, to, next int, err error) {
	from, to, next = pos+1, pos+1, pos+1
	for {
		i := bytes.IndexByte(c.buf[next:], '"')
		if i < 0 {
			to += copy(c.buf[to:], c.buf[next:])
			next = len(c.buf)
			if err := c.more(); err != nil {
				return 0, 0, 0, err
			}
			continue
		}
		to += copy(c.buf[to:], c.buf[next:next+i])
		next += i + 1
		if next == len(c.buf) || c.buf[next] != '"' {
			return from, to, next, nil
		}
		c.buf[to] = '"'
		to++
		next++
	}
}

// more appends the next line to an open record.
func (c *CSV) more() error {
	open := func(why string) error {
		return usererr.New("Close the quote, or double quotes that belong to the text.",
			"%s:%d: a quote opened in this record %s", c.lines.f.path, c.start, why)
	}
	line, err := c.lines.Next()
	switch {
	case errors.Is(err, io.EOF):
		return open("never closes")
	case err != nil && isRow(err), len(c.buf)+1+len(line) > MaxLine:
		return open(fmt.Sprintf("is still open after %d MiB", MaxLine>>20))
	case err != nil:
		return err
	}
	c.buf = append(append(c.buf, '\n'), line...)
	return nil
}

// Header reads the first record, which names the columns.
func (c *CSV) Header(path string) ([][]byte, error) {
	cells, err := c.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, usererr.New("A header line names the columns.", "%s is empty", path)
	case err != nil && isRow(err):
		return nil, usererr.Wrap((&Pass{Path: path}).fill(err, c.Line()), "Mend the header line.")
	}
	return cells, err
}

// EachRecord calls fn for every record that is left. Errors are treated as by EachLine.
func EachRecord(ctx context.Context, p *Pass, c *CSV, fn func([][]byte) error) error {
	for i := 0; ; i++ {
		if i%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("reading %s: %w", p.Path, context.Cause(ctx))
		}
		cells, err := c.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			if err = fn(cells); err != nil && !isRow(err) {
				return fmt.Errorf("%s:%d: %w", p.Path, c.Line(), err)
			}
		}
		if err := p.Row(c.Line(), err); err != nil {
			return err
		}
	}
}
