// Package tables reads a user's own data: a table of interactions and, if wanted, a
// table of items, each as CSV, TSV, JSON lines or Parquet, with a mapping that says
// which column is what. CSV, TSV and JSON lines may be gzipped.
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

// Format is how a table is written.
type Format string

// The formats. Auto goes by the file name's extension, .gz left aside.
const (
	Auto    Format = ""
	CSV     Format = "csv"
	TSV     Format = "tsv"
	JSONL   Format = "jsonl"
	Parquet Format = "parquet"
)

// None as a column name says that an optional column is not to be read even where it
// would be found by its usual name.
const None = "-"

// Columns maps the table of interactions. An empty name stands for the usual one (the
// field's, in lower case): then user and item must be there, the others are read where
// they are. A column named here must be there.
type Columns struct {
	User   string
	Item   string
	Time   string // unix seconds or milliseconds, RFC 3339, date with or without time; one kind a file
	Rating string
	Label  string // 0, 1, 2 or train, valid, test: the data come split
}

// ItemColumns maps the table of items, likewise; only item must be there.
type ItemColumns struct {
	Item        string
	Title       string
	Brand       string
	Categories  string // a list, or a text split at Options.CategorySeparator
	Description string
	Image       string // path, URL or data URI
}

// Options say what to read.
type Options struct {
	Interactions       string             // name of the file of interactions, one a row
	InteractionsFormat Format             // "" = by the name
	Columns            Columns            // which of its columns is what
	Items              string             // name of the file of items, one a row; "" = items have no texts
	ItemsFormat        Format             // "" = by the name
	ItemColumns        ItemColumns        // which of its columns is what
	NoHeader           bool               // CSV, TSV: there is no header line; columns are called 1, 2, 3, …
	CategorySeparator  string             // "" = "|"
	ImageDir           string             // what relative image paths start from; "" = the folder of the items file
	KeepUnseen         bool               // keep items nobody chose, after the others
	Name               string             // name of the data set; "" = the interaction file's name without extensions
	Domain             string             // what the shop sells, for prompts; may be empty
	Policy             *dataset.RowPolicy // what is done about bad rows; nil = stop at the first
}

// Read reads the tables. With a label column the data set is split as labelled, else it
// has no split. Users and items are numbered in the order of first appearance among
// the interactions. The report says what each file held.
//
// A missing, damaged or wrong file, a column that is not there and a bad row are errors
// that the user can mend: see Error of package mllmrec.
func Read(ctx context.Context, opt Options) (*dataset.Dataset, *dataset.Report, error) {
	rep := &dataset.Report{Kind: "tables"}
	r := &reader{opt: opt, users: dataset.NewIndex(), items: dataset.NewIndex()}
	if err := r.readInteractions(ctx, rep); err != nil {
		return nil, nil, err
	}
	ds := &dataset.Dataset{Name: opt.Name, Domain: opt.Domain, Clock: r.clock(), UserIDs: r.users.IDs()}
	ds.SetInteractions(r.interactions)
	if ds.Name == "" {
		ds.Name, _, _ = strings.Cut(filepath.Base(opt.Interactions), ".")
	}
	if r.use[roleLabel] == used {
		ds.Split = dataset.SplitLabelled
		if err := dataset.CheckSplit(ds); err != nil {
			return nil, nil, err
		}
	}
	var catalogue []dataset.Item
	if opt.Items != "" {
		var err error
		if catalogue, err = r.readItems(ctx, rep); err != nil {
			return nil, nil, err
		}
	}
	ds.Items = make([]dataset.Item, len(r.items.IDs()))
	copy(ds.Items, catalogue)
	for i, id := range r.items.IDs() {
		ds.Items[i].ID = id
	}
	ds.Sort()
	return ds, rep, nil
}

// A cell is one value of a row, valid until the next row.
type cell struct {
	text    []byte
	list    []string // of a list-valued cell
	kind    cellKind
	seconds bool // text is a time in unix seconds, whatever its size
	at      int  // 1-based byte in the line, or the column's number in Parquet; 0 = not known
}

type cellKind uint8

const (
	absent cellKind = iota // no such field, or null
	single
	multiple
)

// table is one open file.
type table interface {
	// columns returns the column names, or nil where each row names its own fields.
	columns() []string
	// each hands over every row's cells of the named columns, in that order; a name ""
	// gives absent cells.
	each(ctx context.Context, pass *source.Pass, names []string, row func([]cell) error) error
	report(pass *source.Pass) dataset.FileReport
	close() error
}

func open(path string, format Format, noHeader bool) (table, error) {
	if format == Auto {
		switch ext := strings.ToLower(filepath.Ext(strings.TrimSuffix(strings.ToLower(path), ".gz"))); ext {
		case ".csv":
			format = CSV
		case ".tsv", ".tab":
			format = TSV
		case ".jsonl", ".ndjson", ".json":
			format = JSONL
		case ".parquet", ".pq":
			format = Parquet
		default:
			return nil, usererr.New("Name the format: csv, tsv, jsonl or parquet.", "%s: the extension %q tells no table format", path, ext)
		}
	}
	if noHeader && format != CSV && format != TSV {
		return nil, usererr.New("Say that there is a header, and give the file one.", "%s: only CSV and TSV can be without a header", path)
	}
	switch format {
	case CSV:
		return openCSV(path, ',', noHeader)
	case TSV:
		return openCSV(path, '\t', noHeader)
	case JSONL:
		return openJSONL(path)
	case Parquet:
		return openParquet(path)
	}
	return nil, usererr.New("Name the format: csv, tsv, jsonl or parquet.", "unknown table format %q", format)
}

// wanted is one entry of a column mapping.
type wanted struct {
	given    string // by the user; "" = the usual name
	usual    string
	option   usererr.Option // that names it
	required bool
}

// resolve returns the column to read for each entry; "" = none. explicit says which
// ones the user named.
func resolve(path string, columns []string, mapping []wanted) (names []string, err error) {
	names = make([]string, len(mapping))
	for i, w := range mapping {
		name := w.given
		if name == "" {
			name = w.usual
		}
		switch {
		case w.given == None && w.required:
			return nil, usererr.New(fmt.Sprintf("Name the column that holds it: %s.", w.option), "%s: the %s column cannot be left out", path, w.usual)
		case w.given == None:
			continue
		case columns == nil || slices.Contains(columns, name):
			names[i] = name
		case w.required || w.given != "":
			return nil, usererr.New(fmt.Sprintf("Name the column, for example %s %s.", w.option, someColumn(columns)),
				"%s has no column %q for the %s (it has: %s)", path, name, w.usual, quoteAll(columns))
		}
	}
	return names, nil
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

// checkNames refuses headers that name a column twice.
func checkNames(path string, names []string) error {
	for i, n := range names {
		if slices.Contains(names[:i], n) {
			return usererr.New("Name every column once.", "%s: the header names column %q twice", path, n)
		}
	}
	return nil
}
