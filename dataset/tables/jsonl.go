package tables

import (
	"bytes"
	"context"
	"errors"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/literal"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
)

// jsonTable is a file of JSON objects: one a line, or the elements of an array.
type jsonTable struct {
	f      *source.File
	scan   literal.Scanner
	where  map[string][]int // the places in a row of each field wanted; one field may serve twice
	within map[string]bool  // objects that hold wanted fields: "a" where "a.b" is wanted
	out    []cell
	format string
	dia    literal.Dialect
	known  bool // dia is
}

func openJSONL(path string, e source.Encoding) (table, error) {
	f, err := source.Open(path, e)
	if err != nil {
		return nil, err
	}
	t := &jsonTable{f: f, format: "JSON lines"}
	if start := bytes.TrimLeft(f.Peek(), " \t\r\n"); bytes.HasPrefix(start, []byte{'['}) {
		t.format = "JSON array"
	}
	return t, nil
}

func (t *jsonTable) columns() []string { return nil }

func (t *jsonTable) each(ctx context.Context, pass *source.Pass, names []string, row func([]cell) error) error {
	t.where, t.within = map[string][]int{}, map[string]bool{}
	for i, n := range names {
		if n == "" {
			continue
		}
		t.where[n] = append(t.where[n], i)
		for at, c := range n {
			if c == '.' {
				t.within[n[:at]] = true
			}
		}
	}
	t.out = make([]cell, len(names))
	return source.EachObject(ctx, t.f, pass, func(object []byte, _ int) error {
		clear(t.out)
		if !t.known {
			t.dia, t.known = literal.NotationOf(object)
			if t.dia == literal.Python {
				t.format = "one Python literal a line"
			}
		}
		t.scan.Reset(object, t.dia)
		err := t.object("", false)
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
		return row(t.out)
	})
}

// object reads the wanted members of an object whose own name, with a dot, is prefix. Those
// of an object that is an element of a list are collected.
func (t *jsonTable) object(prefix string, collect bool) error {
	return t.scan.Object(func(key []byte) error {
		name := prefix + string(key)
		if places := t.where[name]; places != nil {
			c, err := t.cell()
			for _, i := range places {
				if collect {
					c = joined(t.out[i], c)
				}
				t.out[i] = c
			}
			return err
		}
		if !t.within[name] {
			return t.scan.Skip()
		}
		switch t.scan.Kind() {
		case literal.Object:
			return t.object(name+".", collect)
		case literal.Array:
			return t.scan.Array(func() error {
				if t.scan.Kind() != literal.Object {
					return t.scan.Skip()
				}
				return t.object(name+".", true)
			})
		}
		return t.scan.Skip()
	})
}

// joined appends a value to those of the same field in other elements of a list.
func joined(all, c cell) cell {
	switch c.kind {
	case absent:
		return all
	case single:
		c.list = []string{string(c.text)}
	}
	return cell{kind: multiple, list: append(all.list, c.list...), at: c.at}
}

// cell reads one value: a text, a number or word as written, a list of such, an object or
// a list of objects.
func (t *jsonTable) cell() (cell, error) {
	c := cell{kind: single, at: t.scan.Offset() + 1}
	var err error
	switch t.scan.Kind() {
	case literal.Array:
		c.kind, c.list = multiple, []string{}
		err = t.scan.Array(func() error {
			if t.scan.Kind() == literal.Object {
				c.kind = grouped
				o, err := t.members()
				c.objects = append(c.objects, o)
				return err
			}
			text, ok, err := t.scan.Text()
			if ok {
				c.list = append(c.list, text)
			}
			return err
		})
	case literal.Object:
		c.kind = grouped
		var o object
		o, err = t.members()
		c.objects = []object{o}
	case literal.String:
		var b []byte
		b, err = t.scan.String()
		c.text = bytes.Clone(b)
	case literal.Number:
		c.text, err = t.scan.Number()
		if bytes.ContainsAny(c.text, ".eE") {
			c.float = 53
		}
	case literal.Word:
		var word string
		if word, err = t.scan.Word(); word == "null" || word == "None" || strings.EqualFold(word, "nan") {
			c.kind = absent
		}
		c.text = []byte(word)
	default:
		err = t.scan.Skip()
	}
	return c, err
}

// members reads the members of an object that are texts or lists of texts.
func (t *jsonTable) members() (object, error) {
	o := object{}
	err := t.scan.Object(func(key []byte) error {
		m := member{name: string(key)}
		read := func() error {
			text, ok, err := t.scan.Text()
			if ok {
				m.values = append(m.values, text)
			}
			return err
		}
		var err error
		switch t.scan.Kind() {
		case literal.Array:
			err = t.scan.Array(func() error {
				if k := t.scan.Kind(); k == literal.Array || k == literal.Object {
					return t.scan.Skip()
				}
				return read()
			})
		case literal.Object:
			err = t.scan.Skip()
		default:
			err = read()
		}
		o = append(o, m)
		return err
	})
	return o, err
}

func (t *jsonTable) report(pass *source.Pass, _ *dataset.Report) dataset.FileReport {
	return pass.Report(t.f, t.format)
}

func (t *jsonTable) close() error { return t.f.Close() }
