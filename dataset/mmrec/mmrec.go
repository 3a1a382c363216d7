// Package mmrec reads and writes interaction files of the MMRec toolbox: a .inter
// file, one interaction a line, tab-separated under a header that names the columns
// userID, itemID and x_label (0 train, 1 valid, 2 test), and often rating and
// timestamp. Row r of a feature file that goes with it belongs to id r.
package mmrec

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// IDs says how the id columns are to be understood.
type IDs string

// The ways to read ids. Auto decides a column at a time: when every id is a decimal
// integer they are Dense, else Opaque.
const (
	Auto   IDs = ""
	Dense  IDs = "dense"  // row = id; rows up to the largest id exist, seen or not
	Opaque IDs = "opaque" // any text, numbered in order of first appearance
)

// Options say what to read.
type Options struct {
	Inter    string             // the .inter file, plain or gzip
	Name     string             // name of the data set; "" = the file's name without extensions
	Domain   string             // what the shop sells, for prompts; may be empty
	IDs      IDs                // how ids are to be read; "" = decide from the file
	Encoding string             // of the files; "" = UTF-8, or what a byte order mark says
	UserMap  string             // u_id_mapping.csv: the users' own ids; "" = ids are the row numbers
	ItemMap  string             // i_id_mapping.csv: the items' own ids, by which metadata can be joined
	Policy   *dataset.RowPolicy // what is done about bad rows; nil = stop at the first
}

// Read reads an .inter file. With an x_label column the data set is split as labelled,
// without one it has no split yet. Items have ids only; texts come from elsewhere. The
// report says what each file held.
//
// A missing, damaged or wrong file and a bad row are errors that the user can mend: see
// Error of package mllmrec.
func Read(ctx context.Context, opt Options) (*dataset.Dataset, *dataset.Report, error) {
	switch opt.IDs {
	case Auto, Dense, Opaque:
	default:
		return nil, nil, usererr.New("Say dense or opaque, or nothing to decide from the file.", "unknown id mode %q", opt.IDs)
	}
	f, err := source.OpenAs(opt.Inter, opt.Encoding)
	if err != nil {
		return nil, nil, fmt.Errorf("open interactions: %w", err)
	}
	defer f.Close()
	r := reader{users: idColumn{name: "userID", mode: opt.IDs}, items: idColumn{name: "itemID", mode: opt.IDs}}
	pass, err := source.EachLine(ctx, f, opt.Policy, r.line)
	if err != nil {
		return nil, nil, err
	}
	if r.columns == nil {
		return nil, nil, usererr.New("An .inter file starts with a header line.", "%s is empty", opt.Inter)
	}
	if len(r.interactions) == 0 {
		return nil, nil, usererr.New("Check that this is the right file.", "%s holds no usable interactions", opt.Inter)
	}
	ds, err := r.dataset(opt)
	if err != nil {
		return nil, nil, err
	}
	file := pass.Report(f, "MMRec .inter, "+r.describe())
	file.Rows-- // the header
	rep := &dataset.Report{Kind: "mmrec", Files: []dataset.FileReport{file}}
	if err := r.applyMaps(ctx, opt, ds, rep); err != nil {
		return nil, nil, err
	}
	return ds, rep, nil
}

func (r *reader) dataset(opt Options) (*dataset.Dataset, error) {
	ds := &dataset.Dataset{Name: opt.Name, Domain: opt.Domain, Clock: dataset.ClockNone}
	if ds.Name == "" {
		ds.Name, _, _ = strings.Cut(filepath.Base(opt.Inter), ".")
	}
	var err error
	if ds.UserIDs, err = r.users.finish(opt.Inter); err != nil {
		return nil, err
	}
	ids, err := r.items.finish(opt.Inter)
	if err != nil {
		return nil, err
	}
	ds.Items = make([]dataset.Item, len(ids))
	for i, id := range ids {
		ds.Items[i].ID = id
	}
	for i := range r.interactions {
		x := &r.interactions[i]
		x.User, x.Item = r.users.row(i), r.items.row(i)
		if x.Time != r.interactions[0].Time {
			ds.Clock = dataset.ClockMoment
		}
	}
	ds.SetInteractions(r.interactions)
	if r.at[colLabel] >= 0 {
		ds.Split = dataset.SplitLabelled
		if err := dataset.CheckSplit(ds); err != nil {
			return nil, fmt.Errorf("%s: %w", opt.Inter, err)
		}
	}
	ds.Sort()
	return ds, nil
}

func (r *reader) describe() string {
	labels := "no labels"
	if r.at[colLabel] >= 0 {
		labels = "labelled"
	}
	return fmt.Sprintf("%s, %s user ids, %s item ids", labels, r.users.kind(), r.items.kind())
}

// fields splits line at tabs into dst.
func fields(dst [][]byte, line []byte) [][]byte {
	dst = dst[:0]
	for {
		i := bytes.IndexByte(line, '\t')
		if i < 0 {
			return append(dst, line)
		}
		dst = append(dst, line[:i])
		line = line[i+1:]
	}
}
