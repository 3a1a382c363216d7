package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// EachObject calls fn for every object of a file of objects, with the line that it begins
// on: one a line, or those of a JSON array, or JSON objects that span lines. Errors are
// treated as by EachLine.
func EachObject(ctx context.Context, f *File, p *Pass, fn func(object []byte, number int) error) error {
	start := bytes.TrimLeft(f.Peek(), " \t\r\n")
	first, _, broken := bytes.Cut(start, []byte{f.lineEnd()})
	spans := broken && string(bytes.TrimSpace(first)) == "{"
	if !bytes.HasPrefix(start, []byte{'['}) && !spans {
		l := NewLines(f)
		return p.each(ctx, func() ([]byte, int, error) {
			line, err := l.Next()
			return line, l.Number(), err
		}, fn)
	}
	o := &objects{f: f, line: 1, column: 1, end: f.lineEnd(), array: !spans}
	return p.each(ctx, o.next, func(object []byte, number int) error {
		err := fn(object, number)
		var row dataset.RowError
		if !errors.As(err, &row) || row.Column == 0 {
			return err
		}
		before := object[:min(row.Column-1, len(object))]
		if lines := bytes.Count(before, []byte{o.end}); lines > 0 {
			row.Line, row.Column = number+lines, len(before)-bytes.LastIndexByte(before, o.end)
		} else {
			row.Column += o.from - 1
		}
		return row
	})
}

// objects cuts a JSON text into its objects. It looks at brackets and quotes alone; what
// is inside is for the reader of the object to judge.
type objects struct {
	f            *File
	end          byte // that ends lines
	line, column int  // of the next byte
	array        bool // the objects are elements of one array
	opened       bool // the array's bracket was read
	some         bool // an object was read since the last comma
	buf          []byte
	from         int // column that the object begins at
}

func (o *objects) read() (byte, error) {
	c, err := o.f.data.ReadByte()
	if err != nil {
		if !errors.Is(err, io.EOF) {
			err = o.f.explain(err)
		}
		return 0, err
	}
	o.column++
	if c == o.end {
		o.line++
		o.column = 1
	}
	return c, nil
}

func (o *objects) next() (object []byte, line int, err error) {
	for {
		line, o.from = o.line, o.column
		c, err := o.read()
		switch {
		case errors.Is(err, io.EOF) && o.array:
			return nil, line, usererr.Of(usererr.KindDamaged, "Make or download the file again.", "%s: the array never closes: the file is cut off", o.f.path)
		case err != nil:
			return nil, line, err
		case c == ' ', c == '\t', c == '\r', c == '\n':
		case c == '[' && o.array && !o.opened:
			o.opened = true
		case c == ',' && o.array && o.some:
			o.some = false
		case c == ']' && o.array && o.opened:
			return nil, line, o.rest()
		case c == '{' && (!o.array || o.opened && !o.some):
			object, err := o.object()
			if err == nil {
				err = o.f.check(object, line)
			}
			o.some = true
			return object, line, err
		default:
			return nil, line, usererr.New("Write an array of objects, or an object a line: [{\"user\": …}, {…}].", "%s:%d:%d: %q where an object is expected", o.f.path, line, o.from, c)
		}
	}
}

// rest checks that nothing follows the array.
func (o *objects) rest() error {
	for {
		c, err := o.read()
		if err != nil {
			return err
		}
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			return usererr.New("Keep one array in the file.", "%s:%d:%d: %q after the end of the array", o.f.path, o.line, o.column-1, c)
		}
	}
}

// object reads on to the bracket that closes the object.
func (o *objects) object() ([]byte, error) {
	start := o.line
	o.buf = append(o.buf[:0], '{')
	quoted, escaped := false, false
	for depth := 1; depth > 0; {
		c, err := o.read()
		if errors.Is(err, io.EOF) {
			return nil, usererr.Of(usererr.KindDamaged, "Make or download the file again.", "%s:%d: the object that begins here never closes", o.f.path, start)
		} else if err != nil {
			return nil, err
		}
		if len(o.buf) == MaxLine {
			return nil, usererr.New("Write an object a line.", "%s:%d: %w", o.f.path, start, fmt.Errorf("an object of more than %d MiB", MaxLine>>20))
		}
		o.buf = append(o.buf, c)
		switch {
		case escaped:
			escaped = false
		case quoted:
			escaped, quoted = c == '\\', c != '"'
		case c == '"':
			quoted = true
		case c == '{', c == '[':
			depth++
		case c == '}', c == ']':
			depth--
		}
	}
	return o.buf, nil
}
