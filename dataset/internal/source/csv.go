package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Quote says what a quotation mark at the start of a field means.
type Quote uint8

// The meanings. QuoteAuto goes by the file: a mark quotes, unless that reading breaks the
// record or swallows rows and the other reading gives every row its fields. In a
// tab-separated file, which is usually written without quoting, the other reading is then
// taken; in others the row is bad, or the user must choose.
const (
	QuoteAuto   Quote = iota
	QuoteDouble       // it opens a field that the next single one closes
	QuoteNone         // it is an ordinary character
)

// CSV reads records of values that a separator divides. Fields may be quoted with double
// quotes ("" inside stands for one), and quoted fields may hold separators and line
// breaks. A quote inside an unquoted field is an ordinary character.
type CSV struct {
	// Width is the number of fields that a record should have; 0 = not known.
	Width int
	// Literal counts the records in which QuoteAuto took a mark for a part of the text.
	Literal int
	// Advice ends the reason of a record whose quotes are not in order; may be empty.
	Advice string
	// Doubtful counts the quoted fields of several lines, of which each could be a record.
	Doubtful int

	lines  *Lines
	comma  byte
	quote  Quote
	ahead  []aheadLine // read, and not yet used; the next one last
	number int         // of the line taken last
	proved bool        // a field was met that only a writer that quotes writes
	buf    []byte      // the record; fields point into it
	cells  [][]byte
	start  int   // line the record begins on
	at     []int // 1-based byte in the record's first line (0 on later lines) where each cell begins
}

// aheadLine is a line that was looked at to find the end of a quoted field.
type aheadLine struct {
	text   []byte
	number int
	err    error
}

// NewCSV returns a reader of f's records, with fields separated by comma.
func NewCSV(f *File, comma byte, quote Quote) *CSV {
	return &CSV{lines: NewLines(f), comma: comma, quote: quote}
}

// Line returns the 1-based line on which the current record begins.
func (c *CSV) Line() int { return c.start }

// Column returns the byte at which field i of the current record begins on its first
// line, or 0 where it begins on a later one.
func (c *CSV) Column(i int) int { return c.at[i] }

// Next returns the fields of the next record, valid until the next call, io.EOF at the
// end, or a row error (after which reading goes on with the next line). Blank lines are
// passed over.
func (c *CSV) Next() ([][]byte, error) {
	for {
		line, err := c.take()
		c.start = c.number
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		c.buf = append(c.buf[:0], line...)
		if c.quote == QuoteNone || bytes.IndexByte(c.buf, '"') < 0 {
			return c.plain(), nil
		}
		return c.quoted()
	}
}

// take returns the next line.
func (c *CSV) take() ([]byte, error) {
	if last := len(c.ahead) - 1; last >= 0 {
		l := c.ahead[last]
		c.ahead = c.ahead[:last]
		c.number = l.number
		return l.text, l.err
	}
	line, err := c.lines.Next()
	c.number = c.lines.Number()
	return line, err
}

// plain splits the record without regard to quotes.
func (c *CSV) plain() [][]byte {
	c.cells, c.at = c.cells[:0], c.at[:0]
	at := 0
	for {
		i := bytes.IndexByte(c.buf[at:], c.comma)
		c.at = append(c.at, at+1)
		if i < 0 {
			c.cells = append(c.cells, c.buf[at:])
			return c.cells
		}
		c.cells = append(c.cells, c.buf[at:at+i])
		at += i + 1
	}
}

// fits reports whether a line has the fields of a record, without regard to quotes.
func (c *CSV) fits(line []byte) bool {
	return bytes.Count(line, []byte{c.comma})+1 == c.Width
}

// quoted splits a record with quotes, reading on while one is open, and decides whether
// the quotes are such.
func (c *CSV) quoted() ([][]byte, error) {
	first := len(c.buf)
	s := scan{comma: c.comma, fields: 1}
	s.feed(c.buf)
	more, why, err := c.readOn(&s)
	if err != nil {
		return nil, err
	}
	alike := 0 // of the lines more, those that are records without regard to quotes
	for _, l := range more {
		if c.fits(l.text) {
			alike++
		}
	}
	fits := c.fits(c.buf[:first])
	whole := s.state == fieldStart || s.state == plainField || s.state == quoteClosed
	right := whole && (c.Width == 0 || s.fields == c.Width)
	plainly := c.quote == QuoteAuto && c.comma == '\t' // may be without quoting
	swallows := c.quote == QuoteAuto && c.Width > 1 && fits && alike > 0 && (plainly || alike == len(more) && !c.proved)
	switch {
	case right && !swallows, whole && len(more) == 0 && !(plainly && fits):
		c.proved = c.proved || right && (s.doubled || !fits) && len(more) == 0
		if right && c.Width > 1 && fits && alike > 0 && alike == len(more) {
			c.Doubtful++
		}
		return c.split(first), nil
	case plainly && (fits && c.Width > 1 || len(more) == 0 && why == ""):
		c.Literal++
		c.back(first, more)
		return c.plain(), nil
	case right:
		return nil, usererr.New(fmt.Sprintf("Say which it is: %s double reads one field of several lines, %s none reads a row a line.", usererr.Option("quote"), usererr.Option("quote")),
			"%s:%d: a quote that opens here closes on line %d, and every line between is a row of its own without it", c.lines.f.path, c.start, more[len(more)-1].number)
	}
	c.back(first, more)
	c.plain()
	switch {
	case why != "":
		return nil, Bad(0, "a quote opened in this record %s; close it, or double quotes that belong to the text%s", why, c.Advice)
	case whole:
		return nil, Bad(0, "a quote opened in this record closes on a later line and makes %d fields where the first line has %d%s", s.fields, c.Width, c.Advice)
	}
	return nil, Bad(c.at[min(s.fields, len(c.at))-1], "field %d: text after the closing quote; double quotes that belong to the text%s", s.fields, c.Advice)
}

// readOn appends lines to the record for as long as a quote is open in it, and returns
// them. why says what is wrong with a quote that stays open.
func (c *CSV) readOn(s *scan) (more []aheadLine, why string, err error) {
	for s.state == inQuotes {
		line, err := c.take()
		tooLong := isRow(err)
		switch {
		case errors.Is(err, io.EOF):
			return more, "never closes", nil
		case err != nil && !tooLong:
			return nil, "", err
		}
		more = append(more, aheadLine{slices.Clone(line), c.number, err}) // its error comes again in its turn
		if tooLong || len(c.buf)+1+len(line) > MaxLine {
			return more, fmt.Sprintf("is still open after %d MiB", MaxLine>>20), nil
		}
		c.buf = append(append(c.buf, '\n'), line...)
		s.feed(line)
	}
	return more, "", nil
}

// back makes the record its first line again and puts the lines behind it back.
func (c *CSV) back(first int, more []aheadLine) {
	c.buf = c.buf[:first]
	for _, l := range slices.Backward(more) {
		c.ahead = append(c.ahead, l)
	}
}

// scan follows quotes through a record.
type scan struct {
	comma   byte
	state   scanState
	fields  int  // met so far
	doubled bool // a quote stood for itself
}

type scanState uint8

const (
	fieldStart scanState = iota
	plainField
	inQuotes
	quoteClosed // or the first of two
	broken      // text after the closing quote
)

func (s *scan) feed(line []byte) {
	for i := 0; i < len(line); i++ {
		c := line[i]
		switch s.state {
		case broken:
			return
		case inQuotes:
			next := bytes.IndexByte(line[i:], '"')
			if next < 0 {
				return
			}
			i += next
			s.state = quoteClosed
			continue
		case quoteClosed:
			switch c {
			case '"':
				s.state, s.doubled = inQuotes, true
			case s.comma:
				s.state = fieldStart
				s.fields++
			default:
				s.state = broken
			}
			continue
		}
		switch {
		case c == s.comma:
			s.state = fieldStart
			s.fields++
		case c == '"' && s.state == fieldStart:
			s.state = inQuotes
		default:
			s.state = plainField
		}
	}
}

// split splits a record whose quotes are in order; first is the length of its first line.
func (c *CSV) split(first int) [][]byte {
	c.cells, c.at = c.cells[:0], c.at[:0]
	for pos := 0; ; pos++ {
		at := pos + 1
		if pos > first {
			at = 0
		}
		c.at = append(c.at, at)
		from, to := pos, len(c.buf)
		if pos < len(c.buf) && c.buf[pos] == '"' {
			from, to, pos = c.unquote(pos)
		} else if i := bytes.IndexByte(c.buf[pos:], c.comma); i >= 0 {
			pos += i
			to = pos
		} else {
			pos = to
		}
		c.cells = append(c.cells, c.buf[from:to])
		if pos == len(c.buf) {
			return c.cells
		}
	}
}

// unquote unquotes, in place, the field that opens at pos; next is the position after its
// closing quote.
func (c *CSV) unquote(pos int) (from, to, next int) {
	from, to, next = pos+1, pos+1, pos+1
	for {
		i := bytes.IndexByte(c.buf[next:], '"')
		to += copy(c.buf[to:], c.buf[next:next+i])
		next += i + 1
		if next == len(c.buf) || c.buf[next] != '"' {
			return from, to, next
		}
		c.buf[to] = '"'
		to++
		next++
	}
}

// Header reads the first record, which names the columns or has as many fields as every
// other.
func (c *CSV) Header(path string) ([][]byte, error) {
	cells, err := c.Next()
	switch {
	case errors.Is(err, io.EOF):
		return nil, usererr.New("A header line names the columns.", "%s is empty", path)
	case err != nil && isRow(err):
		return nil, usererr.Wrap((&Pass{Path: path}).fill(err, c.Line()), "Mend the header line.")
	}
	c.Width = len(cells)
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
