// Package tables reads a user's own data: a table of interactions and, if wanted, a
// table of items, each as CSV, TSV, JSON lines, a JSON array or Parquet, with a mapping
// that says which column is what. All but Parquet may be gzipped.
package tables

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
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
	Time   string // unix seconds to nanoseconds, RFC 3339, date with or without time and zone; one kind a file
	Rating string
	Label  string // 0, 1, 2 or train, valid, test: the data come split
}

// ItemColumns maps the table of items, likewise; only item must be there.
type ItemColumns struct {
	Item        string
	Title       string
	Brand       string
	Categories  string // a list of texts or named things, or a text split at Options.CategorySeparator
	Description string
	Image       string // path, URL, data URI, the picture itself, or an object with one of these
	Price       string // a number, or a text such as $12.99
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
	Separator          string             // CSV, TSV: between fields: one character, or tab, comma, semicolon, pipe; "" = found out
	Quote              string             // CSV, TSV: auto, double or none: what a quotation mark at the start of a field means; "" = auto
	Encoding           string             // of text files, such as windows-1252; "" = UTF-8, or what a byte order mark says
	ItemsEncoding      string             // likewise, of the file of items; "" = Encoding
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
	if err := opt.check(); err != nil {
		return nil, nil, err
	}
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
