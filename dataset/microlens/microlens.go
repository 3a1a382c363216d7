// Package microlens reads the MicroLens data set of short videos: pairs.tsv (a user
// id, a tab, the ids of the items in the order they were watched, separated by
// spaces) and titles.csv (header item,title).
package microlens

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Options say what to read.
type Options struct {
	Pairs      string             // pairs.tsv, plain or gzip
	Titles     string             // titles.csv, plain or gzip; "" = items have no texts
	Images     string             // folder of cover pictures named <item>.<jpg|jpeg|png|webp|gif>; "" = none
	Name       string             // name of the data set; "" = "microlens"
	Domain     string             // what is on offer, for prompts; "" = "short videos"
	Encoding   string             // of both files, such as gb18030; "" = UTF-8, or what a byte order mark says
	KeepUnseen bool               // keep titled items that nobody watched, after the others
	Policy     *dataset.RowPolicy // what is done about bad rows; nil = stop at the first
}

// Read reads the files. The data set has no split; Interaction.Time is the position in
// the user's list, from 1. Users and items are numbered in the order of first
// appearance in the pairs. The report says what each file held.
//
// A missing, damaged or wrong file and a bad row are errors that the user can mend: see
// Error of package mllmrec.
func Read(ctx context.Context, opt Options) (*dataset.Dataset, *dataset.Report, error) {
	r := &reader{users: dataset.NewIndex(), items: dataset.NewIndex()}
	rep := &dataset.Report{Kind: "microlens"}
	if err := r.readPairs(ctx, opt, rep); err != nil {
		return nil, nil, err
	}
	ds := &dataset.Dataset{Name: opt.Name, Domain: opt.Domain, Clock: dataset.ClockOrder, UserIDs: r.users.IDs()}
	ds.SetInteractions(r.interactions)
	if ds.Name == "" {
		ds.Name = "microlens"
	}
	if ds.Domain == "" {
		ds.Domain = "short videos"
	}
	var titles map[int32]string
	if opt.Titles != "" {
		var err error
		if titles, err = r.readTitles(ctx, opt, rep); err != nil {
			return nil, nil, err
		}
	}
	ds.Items = make([]dataset.Item, len(r.items.IDs()))
	for i, id := range r.items.IDs() {
		ds.Items[i] = dataset.Item{ID: id, Title: titles[int32(i)]}
	}
	if opt.Images != "" {
		if err := addImages(ds, rep, opt.Images); err != nil {
			return nil, nil, err
		}
	}
	ds.Sort()
	return ds, rep, nil
}

type reader struct {
	users, items *dataset.Index
	interactions []dataset.Interaction
}

func (r *reader) readPairs(ctx context.Context, opt Options, rep *dataset.Report) error {
	f, err := source.OpenAs(opt.Pairs, opt.Encoding)
	if err != nil {
		return fmt.Errorf("open pairs: %w", err)
	}
	defer f.Close()
	pass, err := source.EachLine(ctx, f, opt.Policy, r.pair)
	if err != nil {
		return err
	}
	if len(r.interactions) == 0 {
		return usererr.New("Each line is a user id, a tab, and item ids separated by spaces.", "%s holds no usable interactions", opt.Pairs)
	}
	rep.Files = append(rep.Files, pass.Report(f, "MicroLens pairs"))
	return nil
}

// pair reads one user's line. A bad line adds nothing.
func (r *reader) pair(line []byte, _ int) error {
	user, items, ok := bytes.Cut(line, []byte{'\t'})
	if !ok && len(r.interactions) == 0 && bytes.HasPrefix(line, []byte("user,item")) {
		return usererr.New("Give pairs.tsv, or import the table with 'mllmrec import tables --interactions pairs.csv --time-column timestamp --split leave-latest --k-core 0'.",
			"this is the table of pairs, one a line, and not the list of each user's items")
	}
	if !ok {
		return source.Bad(0, "no tab between user and items")
	}
	if why := dataset.CheckID(user); why != "" {
		return source.Bad(1, "user: %s", why)
	}
	if _, again := r.users.Find(string(user)); again {
		return source.Bad(1, "user %s has a line already", user)
	}
	if i := bytes.IndexByte(items, '\t'); i >= 0 {
		return source.Bad(len(user)+2+i, "a second tab")
	}
	ids := bytes.Fields(items)
	if len(ids) == 0 {
		return source.Bad(len(user)+2, "user %s has no items", user)
	}
	for _, id := range ids {
		if why := dataset.CheckID(id); why != "" {
			return source.Bad(bytes.Index(line, id)+1, "item: %s", why)
		}
	}
	if len(r.interactions)+len(ids) > math.MaxInt32 {
		return usererr.New("Split the file.", "more than %d interactions", math.MaxInt32)
	}
	u, err := r.users.Row(user)
	if err != nil {
		return err
	}
	for i, id := range ids {
		item, err := r.items.Row(id)
		if err != nil {
			return err
		}
		r.interactions = append(r.interactions, dataset.Interaction{User: u, Item: item, Time: int64(i) + 1})
	}
	return nil
}

// readTitles returns the titles by item row.
func (r *reader) readTitles(ctx context.Context, opt Options, rep *dataset.Report) (map[int32]string, error) {
	f, err := source.OpenAs(opt.Titles, opt.Encoding)
	if err != nil {
		return nil, fmt.Errorf("open titles: %w", err)
	}
	defer f.Close()
	pass := &source.Pass{Path: opt.Titles, Policy: opt.Policy}
	c := source.NewCSV(f, ',', source.QuoteDouble)
	titles, given := map[int32]string{}, map[string]bool{}
	replaced := 0
	cells, err := c.Header(opt.Titles)
	if err != nil {
		return nil, err
	}
	if len(cells) != 2 || string(cells[0]) != "item" || string(cells[1]) != "title" {
		return nil, usererr.New("The header of a MicroLens titles file is item,title.", "%s: header is %q", opt.Titles, bytes.Join(cells, []byte{','}))
	}
	err = source.EachRecord(ctx, pass, c, func(cells [][]byte) error {
		if len(cells) != 2 {
			return source.Bad(0, "%d fields where the header has 2", len(cells))
		}
		if why := dataset.CheckID(cells[0]); why != "" {
			return source.Bad(c.Column(0), "item: %s", why)
		}
		id := string(cells[0])
		if given[id] {
			return source.Bad(c.Column(0), "item %s has a title already", id)
		}
		given[id] = true
		row, known := r.items.Find(id)
		if !known {
			if !opt.KeepUnseen {
				return nil
			}
			var err error
			if row, err = r.items.Row(cells[0]); err != nil {
				return err
			}
		}
		title, dirty := dataset.CleanText(string(cells[1]))
		if dirty {
			replaced++
		}
		titles[row] = strings.TrimSpace(title)
		return nil
	})
	if err != nil {
		return nil, err
	}
	file := pass.Report(f, "MicroLens titles")
	file.Replaced = replaced
	rep.Files = append(rep.Files, file)
	source.NoteReplaced(rep, opt.Titles, replaced)
	if c.Doubtful > 0 {
		rep.Note("%s: quoted titles that span lines which could be rows of their own: %d", opt.Titles, c.Doubtful)
	}
	if unseen := len(given) - len(titles); unseen > 0 {
		rep.Note("%d titled items that nobody watched were left out", unseen)
	}
	return titles, nil
}

// addImages finds each item's picture in dir.
func addImages(ds *dataset.Dataset, rep *dataset.Report, dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return usererr.Wrap(err, "Check the path of the image folder.")
	}
	if err != nil {
		return fmt.Errorf("list images: %w", err)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return fmt.Errorf("list images: %w", err)
	}
	rep.PictureFolder = dir
	pictures := make(map[string]string, len(entries))
	for _, e := range entries { // sorted by name: of two pictures of one item the first counts
		ext := filepath.Ext(e.Name())
		switch strings.ToLower(ext) {
		case ".jpg", ".jpeg", ".png", ".webp", ".gif":
			if id := strings.TrimSuffix(e.Name(), ext); pictures[id] == "" && !e.IsDir() {
				pictures[id] = filepath.Join(dir, e.Name())
			}
		}
	}
	found := 0
	for i := range ds.Items {
		if ds.Items[i].Image = pictures[ds.Items[i].ID]; ds.Items[i].Image != "" {
			found++
		}
	}
	if found == 0 {
		return usererr.New("Pictures are named after items: 123.jpg.", "%s holds no picture of any item", dir)
	}
	return nil
}
