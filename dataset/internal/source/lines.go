package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mllmrec/mllmrec/dataset"
)

// MaxLine bounds one line, or one CSV record, in bytes.
const MaxLine = 16 << 20

// Lines reads a file line by line.
type Lines struct {
	f    *File
	n    int
	long []byte // a line that did not fit the buffer
}

// NewLines returns a reader of f's lines.
func NewLines(f *File) *Lines { return &Lines{f: f} }

// Number returns the 1-based number of the line last returned.
func (l *Lines) Number() int { return l.n }

// Next returns the next line without its end (\n, \r\n or, in a file that has no others,
// \r; the last line may have none). It is valid until the next call. After the last one it
// returns io.EOF. A line beyond MaxLine is read past and reported as a dataset.RowError,
// after which reading may go on. A line that is no text in the file's encoding ends the
// reading: the file is in another.
func (l *Lines) Next() ([]byte, error) {
	line, err := l.f.data.ReadSlice(l.f.lineEnd())
	if errors.Is(err, bufio.ErrBufferFull) {
		line, err = l.nextLong(line)
	}
	switch {
	case errors.Is(err, io.EOF) && len(line) == 0:
		return nil, io.EOF
	case err != nil && !errors.Is(err, io.EOF):
		if isRow(err) {
			return nil, err
		}
		return nil, l.f.explain(err)
	}
	l.n++
	if l.f.end == '\n' {
		line = bytes.TrimSuffix(line, []byte{'\n'})
	}
	line = bytes.TrimRight(line, "\r")
	line = bytes.TrimPrefix(line, mark) // of a file that was appended to another
	return line, l.f.check(line, l.n)
}

var mark = []byte("\ufeff")

// nextLong collects a line longer than the buffer.
func (l *Lines) nextLong(start []byte) ([]byte, error) {
	l.long = append(l.long[:0], start...)
	tooLong := false
	for {
		more, err := l.f.data.ReadSlice(l.f.lineEnd())
		if len(l.long)+len(more) > MaxLine {
			tooLong = true
		}
		if !tooLong {
			l.long = append(l.long, more...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if tooLong && (err == nil || errors.Is(err, io.EOF)) {
			l.n++
			return nil, dataset.RowError{File: l.f.path, Line: l.n, Reason: fmt.Sprintf("line longer than %d MiB", MaxLine>>20)}
		}
		return l.long, err
	}
}

// Bad returns a row error of the current row; column is the 1-based byte in the line,
// or 0. Each fills in file and line.
func Bad(column int, format string, args ...any) error {
	return dataset.RowError{Column: column, Reason: fmt.Sprintf(format, args...)}
}

func isRow(err error) bool {
	var row dataset.RowError
	return errors.As(err, &row)
}

// Pass is one reading of a file under a row policy.
type Pass struct {
	Path   string
	Policy *dataset.RowPolicy
	bad    int
	rows   int
}

// Row counts a row that was used, or hands a row error to the policy. Other errors are
// returned as they are.
func (p *Pass) Row(line int, err error) error {
	if err == nil {
		p.rows++
		return nil
	}
	if !isRow(err) {
		return err
	}
	if err := p.Policy.Bad(p.fill(err, line)); err != nil {
		return err
	}
	p.bad++
	return nil
}

// fill completes the row error in err with file and line.
func (p *Pass) fill(err error, line int) dataset.RowError {
	var row dataset.RowError
	errors.As(err, &row)
	row.File = p.Path
	if row.Line == 0 {
		row.Line = line
	}
	return row
}

// Report returns the file's report; f has been read to its end.
func (p *Pass) Report(f *File, format string) dataset.FileReport {
	return p.ReportOf(f.Report(format))
}

// ReportOf adds the pass's counts to what is known of the file.
func (p *Pass) ReportOf(r dataset.FileReport) dataset.FileReport {
	r.Rows, r.Bad = p.rows, p.bad
	return r
}

// NoteReplaced says aloud that texts were changed.
func NoteReplaced(rep *dataset.Report, path string, texts int) {
	if texts > 0 {
		rep.Note("%s: in the texts of %d items, bytes that are no text (as U+FFFD) or control characters (as blanks) were replaced", path, texts)
	}
}

// EachLine calls fn for every line that is not blank. A fn error made by Bad is the
// row's; any other stops the pass.
func EachLine(ctx context.Context, f *File, policy *dataset.RowPolicy, fn func(line []byte, number int) error) (*Pass, error) {
	p := &Pass{Path: f.path, Policy: policy}
	l := NewLines(f)
	return p, p.each(ctx, func() ([]byte, int, error) {
		line, err := l.Next()
		return line, l.Number(), err
	}, fn)
}

// each calls fn for what next returns, blank lines left out, until next returns io.EOF.
func (p *Pass) each(ctx context.Context, next func() ([]byte, int, error), fn func(text []byte, number int) error) error {
	for i := 0; ; i++ {
		if i%1024 == 0 && ctx.Err() != nil {
			return fmt.Errorf("reading %s: %w", p.Path, context.Cause(ctx))
		}
		text, number, err := next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			if len(bytes.TrimSpace(text)) == 0 {
				continue
			}
			if err = fn(text, number); err != nil && !isRow(err) {
				return fmt.Errorf("%s:%d: %w", p.Path, number, err)
			}
		}
		if err := p.Row(number, err); err != nil {
			return err
		}
	}
}
