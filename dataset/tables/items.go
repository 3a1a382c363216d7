package tables

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/literal"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// itemReader gathers the catalogue, by item row.
type itemReader struct {
	*reader
	imageDir   string
	names      []string
	items      []dataset.Item
	described  []bool
	unseen     map[string]bool // passed over
	seenFields [6]bool
	met        int // described items that occur in interactions
	replaced   int
	dirty      bool
	known      int // items that occur in interactions
}

func (r *reader) readItems(ctx context.Context, rep *dataset.Report) ([]dataset.Item, error) {
	path := r.opt.Items
	t, err := open(path, r.opt.ItemsFormat, r.opt.NoHeader)
	if err != nil {
		return nil, fmt.Errorf("open items: %w", err)
	}
	defer t.close()
	c := r.opt.ItemColumns
	mapping := []wanted{{c.Item, "item", "items-item-column", true}, {c.Title, "title", "title-column", false}, {c.Brand, "brand", "brand-column", false},
		{c.Categories, "categories", "categories-column", false}, {c.Description, "description", "description-column", false}, {c.Image, "image", "image-column", false}}
	known := len(r.items.IDs())
	ir := &itemReader{reader: r, items: make([]dataset.Item, known), described: make([]bool, known), unseen: map[string]bool{}, known: known, imageDir: r.opt.ImageDir}
	if ir.names, err = resolve(path, t.columns(), mapping); err != nil {
		return nil, err
	}
	if ir.imageDir == "" {
		ir.imageDir = filepath.Dir(path)
	}
	if ir.imageDir, err = filepath.Abs(ir.imageDir); err != nil {
		return nil, fmt.Errorf("read items: %w", err)
	}
	pass := &source.Pass{Path: path, Policy: r.opt.Policy}
	if err := t.each(ctx, pass, ir.names, ir.item); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(ir.items, func(it dataset.Item) bool { return filepath.IsAbs(it.Image) }) {
		rep.PictureFolder = ir.imageDir
	}
	file := t.report(pass)
	file.Replaced = ir.replaced
	rep.Files = append(rep.Files, file)
	for i, w := range mapping {
		if w.given != "" && w.given != None && !ir.seenFields[i] && t.columns() == nil && file.Rows > 0 {
			return nil, usererr.New("Check the column mapping.", "%s: no row has a field %q for the %s", path, w.given, w.usual)
		}
	}
	return ir.items, ir.conclude(file, rep)
}

func (r *itemReader) conclude(file dataset.FileReport, rep *dataset.Report) error {
	if r.met == 0 {
		return usererr.New("Check that both files use the same item ids, and the column mapping.",
			"%s describes none of the %d items that occur in %s (it describes %d others)", r.opt.Items, r.known, r.opt.Interactions, file.Rows)
	}
	if missing := r.known - r.met; missing > 0 {
		rep.Note("%d of %d items that occur in interactions are not in the table of items and stay without text", missing, r.known)
	}
	if len(r.unseen) > 0 {
		rep.Note("%d items that nobody chose were left out", len(r.unseen))
	}
	return nil
}

// item reads one row.
func (r *itemReader) item(cells []cell) error {
	id := cells[0]
	switch {
	case id.kind == absent:
		return source.Bad(id.at, "no %s", r.names[0])
	case id.kind == multiple:
		return source.Bad(id.at, "%s is a list", r.names[0])
	}
	if why := dataset.CheckID(id.text); why != "" {
		return source.Bad(id.at, "%s: %s", r.names[0], why)
	}
	row, known := r.reader.items.Find(string(id.text))
	if known && r.described[row] || r.unseen[string(id.text)] {
		return source.Bad(id.at, "item %s stands twice", quote(id.text))
	}
	it := r.decode(cells)
	for i, c := range cells {
		r.seenFields[i] = r.seenFields[i] || c.kind != absent
	}
	if !known {
		if !r.opt.KeepUnseen {
			r.unseen[string(id.text)] = true
			return nil
		}
		var err error
		if row, err = r.reader.items.Row(id.text); err != nil {
			return err
		}
		r.items = append(r.items, dataset.Item{})
		r.described = append(r.described, false)
	}
	if r.dirty {
		r.replaced++
	}
	r.items[row] = it
	r.described[row] = true
	if int(row) < r.known {
		r.met++
	}
	return nil
}

func (r *itemReader) decode(cells []cell) dataset.Item {
	r.dirty = false
	it := dataset.Item{Title: r.text(cells[1]), Brand: r.text(cells[2]), Description: r.text(cells[4])}
	for _, c := range r.categories(cells[3]) {
		if c = r.clean(c); c != "" {
			it.Categories = append(it.Categories, c)
		}
	}
	if len(cells[5].list) > 0 {
		cells[5] = cell{text: []byte(cells[5].list[0]), kind: single, at: cells[5].at}
	}
	it.Image = r.image(r.text(cells[5]))
	return it
}

func (r *itemReader) clean(s string) string {
	s, dirty := dataset.CleanText(s)
	r.dirty = r.dirty || dirty
	return strings.TrimSpace(s)
}

func (r *itemReader) text(c cell) string {
	if c.kind == multiple {
		return r.clean(strings.Join(c.list, " "))
	}
	return r.clean(string(c.text))
}

// categories takes a list as it is, a text that is written as a list for what it says,
// any other text split at the separator.
func (r *itemReader) categories(c cell) []string {
	if c.kind == multiple {
		return c.list
	}
	s := strings.TrimSpace(string(c.text))
	if strings.HasPrefix(s, "[") {
		for _, d := range []literal.Dialect{literal.JSON, literal.Python} {
			var scan literal.Scanner
			scan.Reset([]byte(s), d)
			if list, err := scan.Strings(); err == nil && scan.End() == nil {
				return list
			}
		}
	}
	separator := r.opt.CategorySeparator
	if separator == "" {
		separator = "|"
	}
	return strings.Split(s, separator)
}

// image makes relative paths absolute.
func (r *itemReader) image(s string) string {
	if s == "" || strings.Contains(s, "://") || strings.HasPrefix(s, "data:") || filepath.IsAbs(s) {
		return s
	}
	return filepath.Join(r.imageDir, filepath.FromSlash(s))
}
