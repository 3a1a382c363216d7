package tables

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/literal"
	"github.com/mllmrec/mllmrec/dataset/internal/money"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The roles of columns in the table of items.
const (
	itemID = iota
	itemTitle
	itemBrand
	itemCategories
	itemDescription
	itemImage
	itemPrice
	itemPicture // the bytes of a picture whose path is the image
	numItemRoles
)

// itemReader gathers the catalogue, by item row.
type itemReader struct {
	*reader
	imageDir   string
	names      []string
	items      []dataset.Item
	described  []bool
	unseen     map[string]bool // passed over
	others     []string        // items that occur in no interaction, in order
	seenFields [numItemRoles]bool
	met        int // described items that occur in interactions
	replaced   int
	dirty      bool
	void       int // texts that stand for a missing value
	embedded   int // bytes of pictures that stand in the table
	unpriced   int // prices that cannot be read
	known      int // items that occur in interactions
}

func (r *reader) readItems(ctx context.Context, rep *dataset.Report) ([]dataset.Item, error) {
	path := r.opt.Items
	c := r.opt.ItemColumns
	mapping := []wanted{{c.Item, "item", "items-item-column", true, nil}, {c.Title, "title", "title-column", false, nil}, {c.Brand, "brand", "brand-column", false, objectNames},
		{c.Categories, "categories", "categories-column", false, objectNames}, {c.Description, "description", "description-column", false, nil}, {c.Image, "image", "image-column", false, pictureNames},
		{c.Price, "price", "price-column", false, priceNames}}
	t, err := r.opt.open(path, r.opt.ItemsFormat, cmp.Or(r.opt.ItemsEncoding, r.opt.Encoding), needed(mapping))
	if err != nil {
		return nil, fmt.Errorf("open items: %w", err)
	}
	defer t.close()
	known := len(r.items.IDs())
	ir := &itemReader{reader: r, items: make([]dataset.Item, known), described: make([]bool, known), unseen: map[string]bool{}, known: known, imageDir: r.opt.ImageDir}
	if ir.names, err = resolve(path, t.columns(), mapping); err != nil {
		return nil, err
	}
	ir.names = append(ir.names, bytesBeside(t.columns(), ir.names[itemImage]))
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
	file := t.report(pass, rep)
	file.Replaced = ir.replaced
	rep.Files = append(rep.Files, file)
	source.NoteReplaced(rep, path, ir.replaced)
	for i, w := range mapping {
		if w.given != "" && w.given != None && !ir.seenFields[i] && t.columns() == nil && file.Rows > 0 {
			return nil, usererr.New("Check the column mapping.", "%s: no row has a field %q for the %s", path, w.given, w.usual)
		}
	}
	return ir.items, ir.conclude(file, rep)
}

func (r *itemReader) conclude(file dataset.FileReport, rep *dataset.Report) error {
	if r.met == 0 {
		hint := "Check that both files use the same item ids, and the column mapping."
		if here, there, why := r.alike(); why != "" {
			hint = fmt.Sprintf("Write the ids alike in both files: %s stands there as %s here (%s).", quote([]byte(here)), quote([]byte(there)), why)
		}
		example := ""
		if len(r.others) > 0 {
			example = fmt.Sprintf("; ids there are such as %s, here such as %s", quote([]byte(r.items0()[0])), quote([]byte(r.others[0])))
		}
		return usererr.New(hint, "%s describes none of the %d items that occur in %s (it describes %d others%s)", r.opt.Items, r.known, r.opt.Interactions, file.Rows, example)
	}
	if missing := r.known - r.met; missing > 0 {
		example := ""
		if here, there, why := r.alike(); why != "" {
			example = fmt.Sprintf("; %s is there as %s (%s)", quote([]byte(here)), quote([]byte(there)), why)
		}
		rep.Note("%d of %d items that occur in interactions are not in the table of items and stay without text%s", missing, r.known, example)
	}
	if r.unpriced > 0 {
		rep.Note("%d prices cannot be read as numbers; those items have none", r.unpriced)
	}
	if len(r.unseen) > 0 {
		rep.Note("%d items that nobody chose were left out", len(r.unseen))
	}
	if r.void > 0 {
		rep.Note("%s: %d texts such as NaN, null and NA stand for a missing value and were left out", r.opt.Items, r.void)
	}
	return nil
}

// items0 returns the ids that occur in interactions.
func (r *itemReader) items0() []string { return r.reader.items.IDs()[:r.known] }

// alike finds an item that occurs in interactions and is not described, and one of the
// table that would be it in another spelling.
func (r *itemReader) alike() (here, there, why string) {
	bare := make(map[string]string, len(r.others))
	for _, id := range r.others {
		if _, twice := bare[plainID(id)]; !twice {
			bare[plainID(id)] = id
		}
	}
	for i, id := range r.items0() {
		if other, ok := bare[plainID(id)]; ok && !r.described[i] {
			return id, other, difference(id, other)
		}
	}
	return "", "", ""
}

// plainID is an id without what differs when tools write the same one.
func plainID(id string) string {
	id = strings.ToLower(strings.Trim(id, " \"'"))
	if whole, fraction, ok := strings.Cut(id, "."); ok && strings.Trim(fraction, "0") == "" && isNumber(whole) {
		id = whole
	}
	if short := strings.TrimLeft(id, "0"); short != "" {
		return short
	}
	return id
}

// difference says in what two spellings of an id differ.
func difference(a, b string) string {
	switch {
	case strings.Contains(a, ".") != strings.Contains(b, "."):
		return "one of the two went through floating point"
	case strings.EqualFold(a, b):
		return "they differ in capitals"
	case strings.TrimLeft(a, "0") == strings.TrimLeft(b, "0"):
		return "they differ in leading zeros"
	}
	return "they differ in spaces, quotes or zeros"
}

// item reads one row.
func (r *itemReader) item(cells []cell) error {
	id, err := readID(&cells[itemID], r.names[itemID])
	if err != nil {
		return err
	}
	row, known := r.reader.items.Find(string(id))
	if known && r.described[row] || r.unseen[string(id)] {
		return source.Bad(cells[itemID].at, "item %s stands twice", quote(id))
	}
	void := r.void
	it, err := r.decode(cells, known || r.opt.KeepUnseen)
	if err != nil {
		r.void = void
		return err
	}
	for i, c := range cells {
		r.seenFields[i] = r.seenFields[i] || c.kind != absent
	}
	if !known {
		if !r.opt.KeepUnseen {
			r.unseen[string(id)] = true
			r.others = append(r.others, string(id))
			r.void = void
			return nil
		}
		if row, err = r.reader.items.Row(id); err != nil {
			return err
		}
		r.others = append(r.others, string(id))
		r.items = append(r.items, dataset.Item{})
		r.described = append(r.described, false)
	}
	if r.dirty {
		r.replaced++
	}
	it.Price = r.price(&cells[itemPrice])
	r.items[row] = it
	r.described[row] = true
	if int(row) < r.known {
		r.met++
	}
	return nil
}

// decode reads what the row says of the item; a picture that stands in the table only
// where it is wanted.
func (r *itemReader) decode(cells []cell, wanted bool) (dataset.Item, error) {
	r.dirty = false
	var it dataset.Item
	for _, t := range []struct {
		role int
		to   *string
	}{{itemTitle, &it.Title}, {itemBrand, &it.Brand}, {itemDescription, &it.Description}} {
		c := &cells[t.role]
		if c.kind == grouped {
			if *t.to = r.clean(nameOf(c)); *t.to == "" {
				return it, source.Bad(c.at, "%s: an object where a text, a number or a list is expected%s", r.names[t.role], someMember(c, r.names[t.role]))
			}
			continue
		}
		*t.to = r.text(c)
	}
	categories, err := r.categories(&cells[itemCategories])
	if err != nil {
		return it, err
	}
	for _, c := range categories {
		if missing(c) {
			continue
		}
		if c = r.clean(c); c != "" {
			it.Categories = append(it.Categories, c)
		}
	}
	if wanted {
		it.Image, err = r.picture(&cells[itemImage], &cells[itemPicture])
	}
	return it, err
}

// priceNames are the members of an object that may hold its price, the best first.
var priceNames = []string{"price", "amount", "value"}

// price reads a price; 0 where there is none.
func (r *itemReader) price(c *cell) float64 {
	if c.void() {
		return 0
	}
	text := string(c.text)
	if c.kind == grouped && len(c.objects) > 0 {
		text, _ = c.objects[0].of(priceNames...)
	}
	p, ok := money.Parse(text)
	if !ok {
		r.unpriced++
		return 0
	}
	return p
}

func (r *itemReader) clean(s string) string {
	s, dirty := dataset.CleanText(s)
	r.dirty = r.dirty || dirty
	return strings.TrimSpace(s)
}

func (r *itemReader) text(c *cell) string {
	if c.kind == multiple {
		return r.clean(strings.Join(slices.DeleteFunc(slices.Clone(c.list), missing), " "))
	}
	if c.void() {
		if len(bytes.TrimSpace(c.text)) > 0 {
			r.void++
		}
		return ""
	}
	return r.clean(string(c.text))
}

// objectNames are the members by which objects are called.
var objectNames = []string{"name", "title", "label", "value", "category", "text"}

// nameOf returns what the objects of a cell are called, joined.
func nameOf(c *cell) string {
	var names []string
	for _, o := range c.objects {
		if name, ok := o.of(objectNames...); ok {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// categories takes a list as it is, objects by their names, a text that is written as a
// list for what it says, any other text split at the separator.
func (r *itemReader) categories(c *cell) ([]string, error) {
	switch c.kind {
	case multiple:
		return c.list, nil
	case grouped:
		var list []string
		for _, o := range c.objects {
			name, ok := o.of(objectNames...)
			if !ok && len(o) > 0 {
				return nil, source.Bad(c.at, "%s: an object of %s, of which none is known to be its name%s", r.names[itemCategories], quoteAll(o.names()), someMember(c, r.names[itemCategories]))
			}
			list = append(list, name)
		}
		return list, nil
	}
	if c.void() {
		return nil, nil
	}
	s := strings.TrimSpace(string(c.text))
	if strings.HasPrefix(s, "[") {
		for _, d := range []literal.Dialect{literal.JSON, literal.Python} {
			var scan literal.Scanner
			scan.Reset([]byte(s), d)
			if list, err := scan.Strings(); err == nil && scan.End() == nil {
				return list, nil
			}
		}
	}
	separator := r.opt.CategorySeparator
	if separator == "" {
		separator = "|"
	}
	return strings.Split(s, separator), nil
}
