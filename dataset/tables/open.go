package tables

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// table is one open file.
type table interface {
	// columns returns the column names, or nil where each row names its own fields.
	columns() []string
	// each hands over every row's cells of the named columns, in that order; a name ""
	// gives absent cells.
	each(ctx context.Context, pass *source.Pass, names []string, row func([]cell) error) error
	// report says what was read. It may add sentences to rep.
	report(pass *source.Pass, rep *dataset.Report) dataset.FileReport
	close() error
}

// formatOf tells a table's format by its name, unless it is given.
func formatOf(path string, format Format) (Format, error) {
	switch format {
	case CSV, TSV, JSONL, Parquet:
		return format, nil
	case Auto:
	default:
		return Auto, usererr.New("Name the format: csv, tsv, jsonl or parquet.", "unknown table format %q", format)
	}
	switch ext := strings.ToLower(filepath.Ext(strings.TrimSuffix(strings.ToLower(path), ".gz"))); ext {
	case ".csv":
		return CSV, nil
	case ".tsv", ".tab":
		return TSV, nil
	case ".jsonl", ".ndjson", ".json":
		return JSONL, nil
	case ".parquet", ".pq", ".parq":
		return Parquet, nil
	case ".zst", ".bz2", ".xz", ".zip", ".7z", ".lz4", ".br":
		return Auto, usererr.New("Unpack it first. Plain files and gzip are read.", "%s is compressed in a way that is not read", path)
	case ".xlsx", ".xls", ".ods":
		return Auto, usererr.New("Save the sheet as CSV in UTF-8.", "%s is a workbook", path)
	default:
		return Auto, usererr.New("Name the format: csv, tsv, jsonl or parquet.", "%s: the extension %q tells no table format", path, ext)
	}
}

// check refuses options that no file of those named can follow.
func (o *Options) check() error {
	formats := map[Format]bool{}
	for _, f := range []struct {
		path   string
		format Format
	}{{o.Interactions, o.InteractionsFormat}, {o.Items, o.ItemsFormat}} {
		if f.path == "" {
			continue
		}
		format, err := formatOf(f.path, f.format)
		if err != nil {
			return err
		}
		if o.NoHeader && format != CSV && format != TSV {
			return usererr.New("Say that there is a header, and give the file one.", "%s: only CSV and TSV can be without a header", f.path)
		}
		formats[format] = true
	}
	rows := formats[CSV] || formats[TSV]
	for _, c := range []struct {
		option usererr.Option
		set    bool
		reads  bool
		of     string
	}{
		{"separator", o.Separator != "", rows, "CSV or TSV"},
		{"quote", o.Quote != "", rows, "CSV or TSV"},
		{"encoding", o.Encoding != "", rows || formats[JSONL], "CSV, TSV or JSON"},
		{"items-encoding", o.ItemsEncoding != "", o.Items != "" && (rows || formats[JSONL]), "a table of items that is CSV, TSV or JSON"},
	} {
		if c.set && !c.reads {
			return usererr.New("Leave it out.", "%s has no effect: no file is %s", c.option, c.of)
		}
	}
	return nil
}

// open opens a table; need names the columns that it cannot be without.
func (o *Options) open(path string, format Format, encoding string, need []string) (table, error) {
	format, err := formatOf(path, format)
	if err != nil {
		return nil, err
	}
	if format == Parquet {
		return openParquet(path)
	}
	e, err := source.ParseEncoding(encoding)
	if err != nil {
		return nil, err
	}
	if format == JSONL {
		return openJSONL(path, e)
	}
	return openCSV(path, o, format, e, need)
}

// wanted is one entry of a column mapping.
type wanted struct {
	given    string // by the user; "" = the usual name
	usual    string
	option   usererr.Option // that names it
	required bool
	members  []string // of a group, those that say it, the best first
}

// name is the column that the user means.
func (w *wanted) name() string {
	if w.given == "" {
		return w.usual
	}
	return w.given
}

// needed lists the columns that a table cannot be without.
func needed(mapping []wanted) []string {
	var names []string
	for _, w := range mapping {
		if w.required {
			names = append(names, w.name())
		}
	}
	return names
}

// resolve returns the column to read for each entry; "" = none.
func resolve(path string, columns []string, mapping []wanted) (names []string, err error) {
	names = make([]string, len(mapping))
	for i, w := range mapping {
		name := w.name()
		switch {
		case w.given == None && w.required:
			return nil, usererr.New(fmt.Sprintf("Name the column that holds it: %s.", w.option), "%s: the %s column cannot be left out", path, w.usual)
		case w.given == None:
			continue
		case columns == nil || slices.Contains(columns, name):
			names[i] = name
			continue
		}
		members := membersOf(columns, name)
		if member := firstOf(members, w.members); member != "" {
			names[i] = name + "." + member
			continue
		}
		switch {
		case len(members) > 0:
			return nil, usererr.New(fmt.Sprintf("Name the member, for example %s %s.%s, or leave it out: %s %s.", w.option, name, members[0], w.option, None),
				"%s: the column %q for the %s is a group of %s", path, name, w.usual, quoteAll(members))
		case w.required || w.given != "":
			return nil, usererr.New(fmt.Sprintf("Name the column, for example %s %s.", w.option, someColumn(columns)),
				"%s has no column %q for the %s (it has: %s)", path, name, w.usual, quoteAll(columns))
		}
	}
	return names, nil
}

// membersOf lists the members of a group of columns.
func membersOf(columns []string, group string) []string {
	var members []string
	for _, c := range columns {
		if m, ok := strings.CutPrefix(c, group+"."); ok {
			members = append(members, m)
		}
	}
	return members
}

// firstOf returns the first of the wanted names that is there, in any case; "" = none is.
func firstOf(there, wanted []string) string {
	for _, w := range wanted {
		if i := slices.IndexFunc(there, func(m string) bool { return strings.EqualFold(m, w) }); i >= 0 {
			return there[i]
		}
	}
	return ""
}

func someColumn(columns []string) string {
	if len(columns) == 0 {
		return "name"
	}
	return columns[0]
}

// quoteAll lists names, shortened where there are many or long ones.
func quoteAll(names []string) string {
	const most = 30
	var quoted []string
	for i, n := range names {
		if i == most {
			quoted = append(quoted, "…")
			break
		}
		quoted = append(quoted, quote([]byte(n)))
	}
	return strings.Join(quoted, ", ")
}

// quote shows a cell in a message, shortened.
func quote(b []byte) string {
	if len(b) > 60 {
		return strconv.Quote(string(b[:60]) + "…")
	}
	return strconv.Quote(string(b))
}

// checkNames refuses headers that name a column twice. Columns without a name, which
// spreadsheets leave at the end, cannot be asked for.
func checkNames(path string, names []string) error {
	for i, n := range names {
		if n != "" && slices.Contains(names[:i], n) {
			return usererr.New("Name every column once.", "%s: the header names column %q twice", path, n)
		}
	}
	return nil
}
