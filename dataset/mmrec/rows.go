package mmrec

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/moment"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The columns an .inter file may have; others are passed over.
const (
	colUser = iota
	colItem
	colRating
	colTime
	colLabel
	numColumns
)

var columnNames = [numColumns]string{"userID", "itemID", "rating", "timestamp", "x_label"}

// reader gathers the rows of one file.
type reader struct {
	columns      []string
	at           [numColumns]int // position of each known column; -1 = absent
	cells        [][]byte
	users, items idColumn
	interactions []dataset.Interaction
	times        moment.Column
}

func (r *reader) line(line []byte, number int) error {
	r.cells = fields(r.cells, line)
	if r.columns == nil {
		return r.header()
	}
	if len(r.cells) != len(r.columns) {
		return source.Bad(0, "%d fields where the header has %d", len(r.cells), len(r.columns))
	}
	var x dataset.Interaction
	var reason string
	known := -1
	var written moment.Format
	check := func(col int, why string) {
		if why != "" && reason == "" {
			reason, known = why, col
		}
	}
	user, item := r.cells[r.at[colUser]], r.cells[r.at[colItem]]
	check(colUser, r.users.check(user))
	check(colItem, r.items.check(item))
	if c := r.at[colRating]; c >= 0 {
		v, why := parseRating(r.cells[c])
		x.Rating = v
		check(colRating, why)
	}
	if c := r.at[colTime]; c >= 0 {
		at, format, why := r.times.Parse(string(r.cells[c]))
		x.Time, written = at.Seconds, format
		check(colTime, why)
	}
	if c := r.at[colLabel]; c >= 0 {
		v, why := parseLabel(r.cells[c])
		x.Label = v
		check(colLabel, why)
	}
	if reason != "" {
		return source.Bad(r.start(r.at[known]), "%s: %s", columnNames[known], reason)
	}
	if len(r.interactions) == math.MaxInt32 {
		return usererr.New("Split the file.", "more than %d interactions", math.MaxInt32)
	}
	r.times.Settle(written)
	r.users.add(user, number)
	r.items.add(item, number)
	r.interactions = append(r.interactions, x)
	return nil
}

// start returns the 1-based byte at which cell c of the current line begins.
func (r *reader) start(c int) int {
	at := 1
	for _, cell := range r.cells[:c] {
		at += len(cell) + 1
	}
	return at
}

func (r *reader) header() error {
	for _, c := range r.cells {
		r.columns = append(r.columns, string(c))
	}
	for i := range r.columns {
		if slices.Contains(r.columns[:i], r.columns[i]) {
			return usererr.New("Name every column once.", "header names column %q twice", r.columns[i])
		}
	}
	for c, name := range columnNames {
		r.at[c] = slices.Index(r.columns, name)
	}
	for _, c := range []int{colUser, colItem} {
		if r.at[c] < 0 && slices.Contains(r.columns, "user_id:token") {
			return usererr.New("Import it with 'mllmrec import tables --interactions-format tsv --user-column user_id:token --item-column item_id:token --time-column timestamp:float'.",
				"this is an .inter file of RecBole, of which a column says its type (found: %s)", quoteAll(r.columns))
		}
		if r.at[c] < 0 {
			return usererr.New("An .inter file has tab-separated columns userID, itemID and, with a split, x_label; other tables are imported with a column mapping.",
				"no column %s in the header (found: %s)", columnNames[c], quoteAll(r.columns))
		}
	}
	return nil
}

func quoteAll(names []string) string {
	const most = 20
	var quoted []string
	for i, n := range names {
		if i == most {
			quoted = append(quoted, "…")
			break
		}
		if len(n) > 60 {
			n = n[:60] + "…"
		}
		quoted = append(quoted, strconv.Quote(n))
	}
	return strings.Join(quoted, ", ")
}

func parseRating(b []byte) (float32, string) {
	v, err := strconv.ParseFloat(string(b), 32)
	if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, strconv.Quote(clip(b)) + " is no finite number"
	}
	return float32(v), ""
}

func parseLabel(b []byte) (dataset.Label, string) {
	s := string(b)
	switch strings.TrimSuffix(s, ".0") {
	case "0":
		return dataset.Train, ""
	case "1":
		return dataset.Valid, ""
	case "2":
		return dataset.Test, ""
	}
	return 0, strconv.Quote(clip(b)) + " is no label (0 train, 1 valid, 2 test)"
}

// clip keeps error messages short whatever the file holds.
func clip(b []byte) string {
	if len(b) > 40 {
		return string(b[:40]) + "…"
	}
	return string(b)
}
