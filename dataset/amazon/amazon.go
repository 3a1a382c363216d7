// Package amazon reads the public Amazon review data, reviews and product metadata, of all
// three generations. Which one a file is of is found out by reading it. Files may be
// gzipped:
//
//   - 2014: reviews as JSON lines (reviewerID, asin, unixReviewTime, overall); metadata
//     as one Python literal a line (asin, title, brand, categories as a list of paths,
//     description, imUrl)
//   - 2018: JSON lines (category as one list, description as a list, imageURLHighRes)
//   - 2023: JSON lines (user_id, parent_asin, timestamp in ms, rating; parent_asin, title,
//     store, details, categories, description as a list, images as a list of objects), also
//     as the loader of the Hugging Face hub hands them out (images as an object of lists,
//     details as a text)
//
// Objects may also stand in a JSON array. Titles, brands, categories and descriptions that
// are page script or style sheets are left out, and counted in a note.
//
// Files are read as streams. Reviews come first and may go through the k-core before
// metadata are read for the surviving items only, so memory is in proportion to the
// interactions and to the items kept, not to the files.
package amazon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/literal"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Generation is the year of a release of the data.
type Generation int

// The generations. Unknown stands for reviews of 2014 or 2018 that show no field by
// which to tell; both are read alike.
const (
	Unknown Generation = 0
	Gen2014 Generation = 2014
	Gen2018 Generation = 2018
	Gen2023 Generation = 2023
)

// String returns the year.
func (g Generation) String() string {
	if g == Unknown {
		return "2014 or 2018"
	}
	return fmt.Sprint(int(g))
}

// Options say what to read.
type Options struct {
	Reviews string // reviews, one a line
	Meta    string // product metadata, one a line; "" = items have no texts
	Name    string // name of the data set; "" = the reviews file's name without extensions
	Domain  string // what the shop sells, for prompts; may be empty
	KCore   int    // merge duplicates and cut to this core before metadata are read; 0 = do neither
	// Encoding is that of both files, such as windows-1252; "" = UTF-8, of which broken bytes
	// are replaced, or what a byte order mark says.
	Encoding string
	Policy   *dataset.RowPolicy // what is done about bad rows; nil = stop at the first
}

// Read reads reviews, then metadata for the items left. The data set has no split. With
// a k-core the rows are numbered as by MMRec's preprocessing: in the order of first
// appearance in the filtered reviews.
func Read(ctx context.Context, opt Options) (*dataset.Dataset, *dataset.Report, error) {
	ds, rep, err := ReadReviews(ctx, opt)
	if err != nil {
		return nil, nil, err
	}
	if opt.KCore > 0 {
		rep.Merged = dataset.MergeDuplicates(ds)
		core := dataset.KCore(ds, opt.KCore)
		rep.Core = &core
		if ds.NumInteractions() == 0 {
			return nil, nil, usererr.New("Choose a smaller k-core.", "%s: no user and item have %d interactions each: the %d-core is empty", opt.Reviews, opt.KCore, opt.KCore)
		}
	}
	if opt.Meta != "" {
		if err := addMetadata(ctx, ds, opt.Meta, opt.Encoding, opt.Policy, rep); err != nil {
			return nil, nil, err
		}
	}
	ds.Sort()
	return ds, rep, nil
}

// ReadReviews reads the reviews alone. Interactions stand in file order, not sorted,
// so that MergeDuplicates and KCore can number rows in that order; call Sort when done.
func ReadReviews(ctx context.Context, opt Options) (*dataset.Dataset, *dataset.Report, error) {
	f, err := source.OpenAs(opt.Reviews, opt.Encoding)
	if err != nil {
		return nil, nil, fmt.Errorf("open reviews: %w", err)
	}
	defer f.Close()
	f.AnyBytes()
	r := &reviews{users: dataset.NewIndex(), items: dataset.NewIndex()}
	pass := &source.Pass{Path: opt.Reviews, Policy: opt.Policy}
	if err := source.EachObject(ctx, f, pass, r.line); err != nil {
		return nil, nil, err
	}
	if len(r.interactions) == 0 {
		return nil, nil, usererr.New("A reviews file holds one review a line, with reviewerID and asin, or user_id and parent_asin.", "%s holds no usable reviews", opt.Reviews)
	}
	ds := &dataset.Dataset{Name: opt.Name, Domain: opt.Domain, Clock: dataset.ClockMoment, UserIDs: r.users.IDs()}
	ds.SetInteractions(r.interactions)
	if ds.Name == "" {
		ds.Name, _, _ = strings.Cut(filepath.Base(opt.Reviews), ".")
	}
	ds.Items = make([]dataset.Item, len(r.items.IDs()))
	for i, id := range r.items.IDs() {
		ds.Items[i].ID = id
	}
	rep := &dataset.Report{Kind: "amazon", Files: []dataset.FileReport{pass.Report(f, fmt.Sprintf("Amazon %s reviews, %s", r.generation, r.lines.notation()))}}
	return ds, rep, nil
}

// lines finds each line's object, in the notation of the file's first line.
type lines struct {
	scan  literal.Scanner
	known bool
	dia   literal.Dialect
}

// object walks the members of the line's object.
func (l *lines) object(line []byte, member func(key []byte) error) error {
	if !l.known {
		l.dia, l.known = literal.NotationOf(line)
		if !l.known && separated(line) {
			return usererr.New("Import it with 'mllmrec import tables': for files with the header user_id,parent_asin,rating,timestamp add --user-column user_id --item-column parent_asin --time-column timestamp; the files of ratings without a header are user,item,rating,timestamp in 2014 and item,user,rating,timestamp in 2018, for --no-header.",
				"this is a table of ratings, and not the reviews or metadata, of which a line is an object")
		}
		if !l.known {
			return source.Bad(1, "no object: a line starts with {")
		}
	}
	l.scan.Reset(line, l.dia)
	err := l.scan.Object(member)
	if err == nil {
		err = l.scan.End()
	}
	return rowError(err)
}

// separated reports whether a line is a row of a table.
func separated(line []byte) bool {
	return bytes.Count(line, []byte{','}) >= 2 && !bytes.ContainsAny(line, "{[:")
}

func (l *lines) notation() string {
	if l.dia == literal.Python {
		return "one Python literal a line"
	}
	return "JSON lines"
}

// rowError makes a scanner's error the row's.
func rowError(err error) error {
	var bad *literal.SyntaxError
	if errors.As(err, &bad) {
		return source.Bad(bad.Offset+1, "%s", bad.Reason)
	}
	return err
}
