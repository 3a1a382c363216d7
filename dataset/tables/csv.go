package tables

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
)

// csvTable is a CSV or TSV file.
type csvTable struct {
	f      *source.File
	in     *source.CSV
	header []string
	first  [][]byte // the first record, when it is no header
	format string
}

func openCSV(path string, comma byte, noHeader bool) (table, error) {
	f, err := source.Open(path)
	if err != nil {
		return nil, err
	}
	t := &csvTable{f: f, in: source.NewCSV(f, comma), format: "CSV"}
	if comma == '\t' {
		t.format = "TSV"
	}
	cells, err := t.in.Header(path)
	for i, c := range cells {
		name := strings.TrimSpace(string(c))
		if noHeader {
			name = strconv.Itoa(i + 1)
			t.first = append(t.first, slices.Clone(c))
		}
		t.header = append(t.header, name)
	}
	if err == nil {
		err = checkNames(path, t.header)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return t, nil
}

func (t *csvTable) columns() []string { return t.header }

func (t *csvTable) each(ctx context.Context, pass *source.Pass, names []string, row func([]cell) error) error {
	at := make([]int, len(names))
	for i, n := range names {
		at[i] = -1
		if n != "" {
			at[i] = slices.Index(t.header, n)
		}
	}
	out := make([]cell, len(names))
	take := func(cells [][]byte) error {
		if len(cells) != len(t.header) {
			return source.Bad(0, "%d fields where the first line has %d", len(cells), len(t.header))
		}
		for i, a := range at {
			out[i] = cell{}
			if a >= 0 {
				out[i] = cell{text: cells[a], kind: single, at: t.in.Column(a)}
			}
		}
		return row(out)
	}
	if t.first != nil {
		if err := pass.Row(t.in.Line(), take(t.first)); err != nil {
			return err
		}
	}
	return source.EachRecord(ctx, pass, t.in, take)
}

func (t *csvTable) report(pass *source.Pass) dataset.FileReport { return pass.Report(t.f, t.format) }

func (t *csvTable) close() error { return t.f.Close() }
