package amazon

import (
	"context"
	"fmt"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/literal"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// AddMetadata reads a metadata file and fills in the items of ds that it describes, by
// id; the millions of others are passed over unread. Items it does not describe stay
// as they are. Where a product stands twice, the first line counts. The file's report
// and notes go to rep.
func AddMetadata(ctx context.Context, ds *dataset.Dataset, path string, policy *dataset.RowPolicy, rep *dataset.Report) error {
	return addMetadata(ctx, ds, path, "", policy, rep)
}

func addMetadata(ctx context.Context, ds *dataset.Dataset, path, encoding string, policy *dataset.RowPolicy, rep *dataset.Report) error {
	f, err := source.OpenAs(path, encoding)
	if err != nil {
		return fmt.Errorf("open metadata: %w", err)
	}
	defer f.Close()
	f.AnyBytes()
	m := &metadata{ds: ds, rows: make(map[string]int32, ds.NumItems()), done: make([]bool, ds.NumItems())}
	for i, it := range ds.Items {
		m.rows[it.ID] = int32(i)
	}
	pass := &source.Pass{Path: path, Policy: policy}
	if err := source.EachObject(ctx, f, pass, m.line); err != nil {
		return err
	}
	file := pass.Report(f, fmt.Sprintf("Amazon %s metadata, %s", m.generation(), m.notation()))
	file.Replaced = m.replaced
	rep.Files = append(rep.Files, file)
	if file.Rows == 0 {
		return usererr.New("A metadata file holds one product a line, with asin or parent_asin.", "%s holds no usable products", path)
	}
	if m.described == 0 {
		return usererr.New("Check that reviews and metadata are of one category and one generation.",
			"%s describes none of the %d items (it holds %d others)", path, ds.NumItems(), file.Rows)
	}
	if missing := ds.NumItems() - m.described; missing > 0 {
		rep.Note("%d of %d items have no metadata and stay without text", missing, ds.NumItems())
	}
	source.NoteReplaced(rep, path, m.replaced)
	if m.scripts > 0 {
		rep.Note("%s: texts that are page script or style sheets were left out: %d", path, m.scripts)
	}
	if m.unpriced > 0 {
		rep.Note("%s: prices that cannot be read as numbers: %d; those items have none", path, m.unpriced)
	}
	if m.repeated > 0 {
		rep.Note("%d metadata lines repeat a product; the first line of each counts", m.repeated)
	}
	return nil
}

// The members of a product that are read, in the order in which they are decoded.
const (
	keyASIN = iota
	keyParent
	keyTitle
	keyBrand
	keyStore
	keyDetails
	keyCategories
	keyCategory
	keyMainCategory
	keyMainCat
	keyDescription
	keyImURL
	keyImageHigh
	keyImageURL
	keyImages
	keyImage
	keyPrice
	keyRelated  // 2014 only; not read, but tells the generation
	keyAlsoBuy  // 2018 only; likewise
	keyReviewer // of reviews only; likewise
	numKeys
)

var keyNames = map[string]int{
	"asin": keyASIN, "parent_asin": keyParent, "title": keyTitle, "brand": keyBrand, "store": keyStore, "details": keyDetails,
	"categories": keyCategories, "category": keyCategory, "main_category": keyMainCategory, "main_cat": keyMainCat,
	"description": keyDescription, "imUrl": keyImURL, "imageURLHighRes": keyImageHigh, "imageURL": keyImageURL, "images": keyImages,
	"image": keyImage, "price": keyPrice, "related": keyRelated, "also_buy": keyAlsoBuy, "reviewerID": keyReviewer, "user_id": keyReviewer,
}

// metadata fills in items from one file.
type metadata struct {
	lines
	ds                            *dataset.Dataset
	rows                          map[string]int32
	done                          []bool
	described, repeated, replaced int
	at                            [numKeys]int // offset of each member's value in this line; -1 = absent
	has                           [numKeys]bool
	scripts                       int // texts left out
	unpriced                      int // prices that cannot be read
	dirty                         bool
}

// generation tells by the members met in the whole file.
func (m *metadata) generation() Generation {
	switch {
	case m.has[keyParent]:
		return Gen2023
	case m.has[keyImageHigh], m.has[keyImageURL], m.has[keyMainCat], m.has[keyCategory], m.has[keyAlsoBuy]:
		return Gen2018
	case m.has[keyImURL], m.has[keyCategories], m.has[keyRelated], m.dia == literal.Python:
		return Gen2014
	}
	return Unknown
}

func (m *metadata) line(line []byte, _ int) error {
	for k := range m.at {
		m.at[k] = -1
	}
	err := m.object(line, func(key []byte) error {
		if k, ok := keyNames[string(key)]; ok {
			m.at[k] = m.scan.Offset()
		}
		return m.scan.Skip()
	})
	if err != nil {
		return err
	}
	if m.at[keyReviewer] >= 0 {
		return usererr.New("Give the metadata file, one product a line, as metadata, and this one as reviews.", "this is a file of reviews, and not of product metadata")
	}
	name, key := "parent_asin", keyParent
	if m.at[keyParent] < 0 {
		name, key = "asin", keyASIN
	}
	if m.at[key] < 0 {
		return source.Bad(0, "neither asin nor parent_asin")
	}
	m.scan.Seek(m.at[key])
	if m.scan.Kind() != literal.String {
		return source.Bad(m.at[key]+1, "%s is no text", name)
	}
	id, err := m.scan.String()
	if err != nil {
		return rowError(err)
	}
	if why := dataset.CheckID(id); why != "" {
		return source.Bad(m.at[key]+1, "%s: %s", name, why)
	}
	for k, at := range m.at {
		m.has[k] = m.has[k] || at >= 0
	}
	row, wanted := m.rows[string(id)]
	if !wanted {
		return nil
	}
	if m.done[row] {
		m.repeated++
		return nil
	}
	it := dataset.Item{ID: m.ds.Items[row].ID}
	m.dirty = false
	if err := m.item(&it); err != nil {
		return rowError(err)
	}
	if m.dirty {
		m.replaced++
	}
	m.ds.Items[row] = it
	m.done[row] = true
	m.described++
	return nil
}
