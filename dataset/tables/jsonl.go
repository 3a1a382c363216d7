package tables

import (
	"bytes"
	"context"
	"errors"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/literal"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
)

// jsonTable is a file of JSON lines, one object each.
type jsonTable struct {
	f    *source.File
	scan literal.Scanner
}

func openJSONL(path string) (table, error) {
	f, err := source.Open(path)
	if err != nil {
		return nil, err
	}
	return &jsonTable{f: f}, nil
}

func (t *jsonTable) columns() []string { return nil }

func (t *jsonTable) each(ctx context.Context, pass *source.Pass, names []string, row func([]cell) error) error {
	where := map[string][]int{} // one field may serve twice
	for i, n := range names {
		if n != "" {
			where[n] = append(where[n], i)
		}
	}
	out := make([]cell, len(names))
	return source.EachLineOf(ctx, t.f, pass, func(line []byte, _ int) error {
		clear(out)
		t.scan.Reset(line, literal.JSON)
		err := t.scan.Object(func(key []byte) error {
			places := where[string(key)]
			if places == nil {
				return t.scan.Skip()
			}
			c, err := t.cell()
			for _, i := range places {
				out[i] = c
			}
			return err
		})
		if err == nil {
			err = t.scan.End()
		}
		var bad *literal.SyntaxError
		if errors.As(err, &bad) {
			return source.Bad(bad.Offset+1, "%s", bad.Reason)
		}
		if err != nil {
			return err
		}
		return row(out)
	})
}

// cell reads one value: a text, a number or word as written, or a list of such.
func (t *jsonTable) cell() (cell, error) {
	c := cell{kind: single, at: t.scan.Offset() + 1}
	var err error
	switch t.scan.Kind() {
	case literal.Array:
		c.kind = multiple
		c.list, err = t.scan.Strings()
	case literal.String:
		var b []byte
		b, err = t.scan.String()
		c.text = bytes.Clone(b)
	case literal.Number:
		c.text, err = t.scan.Number()
	case literal.Word:
		var word string
		if word, err = t.scan.Word(); word == "null" {
			c.kind = absent
		}
		c.text = []byte(word)
	default:
		if t.scan.Kind() == literal.Object {
			return c, source.Bad(c.at, "an object where a text, a number or a list is expected")
		}
		err = t.scan.Skip()
	}
	return c, err
}

func (t *jsonTable) report(pass *source.Pass) dataset.FileReport {
	return pass.Report(t.f, "JSON lines")
}

func (t *jsonTable) close() error { return t.f.Close() }
