package mmrec

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// readMap reads an id map: two columns under a header, one of them named column (the
// row, "userID" or "itemID"), the other the source's own id; separated by tabs or, as
// some copies are, by commas. It returns the ids by row, one for each of n rows.
func readMap(ctx context.Context, path, encoding, column string, n int, policy *dataset.RowPolicy) ([]string, dataset.FileReport, error) {
	var none dataset.FileReport
	f, err := source.OpenAs(path, encoding)
	if err != nil {
		return nil, none, fmt.Errorf("open id map: %w", err)
	}
	defer f.Close()
	pass := &source.Pass{Path: path, Policy: policy}
	comma, quote := byte(','), source.QuoteDouble
	if bytes.IndexByte(f.PeekLine(), '\t') >= 0 {
		comma, quote = '\t', source.QuoteAuto
	}
	c := source.NewCSV(f, comma, quote)
	cells, err := c.Header(path)
	if err != nil {
		return nil, none, err
	}
	rowAt := slices.IndexFunc(cells, func(b []byte) bool { return string(b) == column })
	if len(cells) != 2 || rowAt < 0 {
		return nil, none, usererr.New("An id map has two columns, such as asin and itemID.", "%s: want two columns, one of them %s; found %s", path, column, quoteAll(texts(cells)))
	}
	ids := make([]string, n)
	seen := make(map[string]bool, n)
	err = source.EachRecord(ctx, pass, c, func(cells [][]byte) error {
		if len(cells) != 2 {
			return source.Bad(0, "%d fields where the header has 2", len(cells))
		}
		row, ok := canonicalInt(cells[rowAt])
		id := cells[1-rowAt]
		switch why := dataset.CheckID(id); {
		case !ok || row < 0:
			return source.Bad(c.Column(rowAt), "%s: %s is no row number", column, strconv.Quote(clip(cells[rowAt])))
		case row >= int64(n):
			return source.Bad(c.Column(rowAt), "%s %d is beyond the %d rows of the .inter file", column, row, n)
		case why != "":
			return source.Bad(c.Column(1-rowAt), "%s", why)
		case ids[row] != "":
			return source.Bad(c.Column(rowAt), "%s %d has an id already", column, row)
		case seen[string(id)]:
			return source.Bad(c.Column(1-rowAt), "id %s has a row already", strconv.Quote(clip(id)))
		}
		ids[row] = string(id)
		seen[ids[row]] = true
		return nil
	})
	if err != nil {
		return nil, none, err
	}
	if row := slices.Index(ids, ""); row >= 0 {
		return nil, none, usererr.New("Use the map that belongs to the .inter file.", "%s: no id for %s %d", path, column, row)
	}
	return ids, pass.Report(f, "MMRec id map"), nil
}

func texts(cells [][]byte) []string {
	out := make([]string, len(cells))
	for i, c := range cells {
		out[i] = string(c)
	}
	return out
}

// applyMaps gives a dataset with dense ids the source's own ids.
func (r *reader) applyMaps(ctx context.Context, opt Options, ds *dataset.Dataset, rep *dataset.Report) error {
	for _, m := range []struct {
		path   string
		column *idColumn
		n      int
		set    func(row int, id string)
	}{
		{opt.UserMap, &r.users, ds.Users(), func(row int, id string) { ds.UserIDs[row] = id }},
		{opt.ItemMap, &r.items, ds.NumItems(), func(row int, id string) { ds.Items[row].ID = id }},
	} {
		if m.path == "" {
			continue
		}
		if m.column.index != nil {
			return usererr.New("Leave the id map out.", "%s: ids in column %s are no row numbers, so a map has nothing to say", opt.Inter, m.column.name)
		}
		ids, file, err := readMap(ctx, m.path, opt.Encoding, m.column.name, m.n, opt.Policy)
		if err != nil {
			return err
		}
		for row, id := range ids {
			m.set(row, id)
		}
		rep.Files = append(rep.Files, file)
	}
	return nil
}
