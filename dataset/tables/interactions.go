package tables

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/moment"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The roles of columns in the table of interactions.
const (
	roleUser = iota
	roleItem
	roleTime
	roleRating
	roleLabel
	numRoles
)

// usage says whether an optional column is read. Where rows name their own fields, the
// first usable row decides for the columns the user did not name.
type usage uint8

const (
	undecided usage = iota
	unused
	used
)

type reader struct {
	opt          Options
	users, items *dataset.Index
	interactions []dataset.Interaction
	nanos        []int32  // what the times have beyond seconds; nil = nothing
	names        []string // by role
	use          [numRoles]usage
	times        moment.Column
	decimalComma bool
}

func (r *reader) readInteractions(ctx context.Context, rep *dataset.Report) error {
	c := r.opt.Columns
	mapping := []wanted{{c.User, "user", "user-column", true, nil}, {c.Item, "item", "item-column", true, nil}, {c.Time, "time", "time-column", false, nil},
		{c.Rating, "rating", "rating-column", false, nil}, {c.Label, "label", "label-column", false, nil}}
	t, err := r.opt.open(r.opt.Interactions, r.opt.InteractionsFormat, r.opt.Encoding, needed(mapping))
	if err != nil {
		return fmt.Errorf("open interactions: %w", err)
	}
	defer t.close()
	if r.names, err = resolve(r.opt.Interactions, t.columns(), mapping); err != nil {
		return err
	}
	if csv, ok := t.(*csvTable); ok {
		r.decimalComma = csv.comma != ','
	}
	for role, name := range r.names {
		switch {
		case name == "":
			r.use[role] = unused
		case t.columns() != nil || mapping[role].required || mapping[role].given != "":
			r.use[role] = used
		}
	}
	pass := &source.Pass{Path: r.opt.Interactions, Policy: r.opt.Policy}
	if err := t.each(ctx, pass, r.names, r.interaction); err != nil {
		return err
	}
	if len(r.interactions) == 0 {
		return usererr.New("Check file and column mapping.", "%s holds no usable interactions", r.opt.Interactions)
	}
	r.orderWithinSeconds()
	noteSpellings(rep, r.opt.Interactions, "user", r.users)
	noteSpellings(rep, r.opt.Interactions, "item", r.items)
	rep.Files = append(rep.Files, t.report(pass, rep))
	return nil
}

// noteSpellings says aloud that a file has ids as whole numbers and, as others, with the
// fraction that floating point gives them.
func noteSpellings(rep *dataset.Report, path, what string, ids *dataset.Index) {
	n, example := 0, ""
	for _, id := range ids.IDs() {
		whole, ok := strings.CutSuffix(id, ".0")
		if _, both := ids.Find(whole); ok && both {
			if n++; n == 1 {
				example = id
			}
		}
	}
	if n > 0 {
		rep.Note("%s: %d %s ids stand in two spellings, such as %q and %q, and count as two", path, n, what, example, strings.TrimSuffix(example, ".0"))
	}
}

// interaction reads one row. A bad row adds nothing.
func (r *reader) interaction(cells []cell) error {
	var x dataset.Interaction
	var ids [2][]byte
	for _, role := range []int{roleUser, roleItem} {
		var err error
		if ids[role], err = readID(&cells[role], r.names[role]); err != nil {
			return err
		}
	}
	for _, role := range []int{roleTime, roleLabel} {
		there := cells[role].kind != absent
		switch {
		case r.use[role] == used && !there:
			return source.Bad(0, "no %s", r.names[role])
		case r.use[role] == unused && there:
			return source.Bad(cells[role].at, "a %s, of which the file's first rows have none", r.names[role])
		}
	}
	t, format, err := r.time(&cells[roleTime])
	if err != nil {
		return err
	}
	x.Time = t.Seconds
	if x.Rating, err = r.rating(&cells[roleRating]); err != nil {
		return err
	}
	if c := cells[roleLabel]; c.kind != absent {
		var ok bool
		if x.Label, ok = parseLabel(c); !ok {
			return source.Bad(c.at, "%s: %s is no label (0, 1, 2 or train, valid, test)", r.names[roleLabel], quote(c.text))
		}
	}
	r.settle(cells, format)
	return r.add(x, t.Nanos, ids[roleUser], ids[roleItem])
}

// time reads a time; the format is none where the column has typed times.
func (r *reader) time(c *cell) (moment.Time, moment.Format, error) {
	bad := func(why string) (moment.Time, moment.Format, error) {
		return moment.Time{}, moment.None, source.Bad(c.at, "%s: %s", r.names[roleTime], why)
	}
	switch {
	case c.kind == absent:
		return moment.Time{}, moment.None, nil
	case c.kind != single:
		return bad("a list or an object is no time")
	case c.time:
		v, err := strconv.ParseInt(string(c.text), 10, 64)
		if err != nil {
			return bad(quote(c.text) + " is no time")
		}
		t := moment.Time{Seconds: v, Nanos: c.nanos}
		if why := moment.Check(t); why != "" {
			return bad("it " + why)
		}
		return t, moment.None, nil
	case len(c.text) > 0 && missing(string(c.text)):
		return bad(quote(c.text) + " stands for a missing value")
	}
	t, format, why := r.times.Parse(string(c.text))
	if why != "" {
		return bad(why)
	}
	return t, format, nil
}

// rating reads a rating; 0 stands for a missing one.
func (r *reader) rating(c *cell) (float32, error) {
	if c.void() {
		return 0, nil
	}
	text := string(c.text)
	if r.decimalComma && !strings.Contains(text, ".") {
		text = strings.Replace(text, ",", ".", 1)
	}
	v, err := strconv.ParseFloat(strings.TrimSpace(text), 32)
	if err != nil || c.kind != single || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0, source.Bad(c.at, "%s: %s is no finite number", r.names[roleRating], quote(c.text))
	}
	return float32(v), nil
}

// readID reads the id in the column of this name.
func readID(c *cell, name string) ([]byte, error) {
	switch c.kind {
	case absent:
		return nil, source.Bad(c.at, "no %s", name)
	case multiple:
		return nil, source.Bad(c.at, "%s is a list", name)
	case grouped:
		return nil, source.Bad(c.at, "%s is an object where an id is expected%s", name, someMember(c, name))
	}
	id, why := c.id()
	if why != "" {
		return nil, source.Bad(c.at, "%s: %s", name, why)
	}
	return id, nil
}

// someMember says how a member of an object is named.
func someMember(c *cell, name string) string {
	if len(c.objects) == 0 || len(c.objects[0]) == 0 {
		return ""
	}
	return fmt.Sprintf("; a member is named as %s.%s", name, c.objects[0][0].name)
}

// settle fixes, at the first good row, what later rows are held to.
func (r *reader) settle(cells []cell, format moment.Format) {
	r.times.Settle(format)
	for role := range r.use {
		if r.use[role] == undecided && role != roleRating {
			r.use[role] = unused
			if cells[role].kind != absent {
				r.use[role] = used
			}
		}
	}
}

func (r *reader) add(x dataset.Interaction, nanos int32, user, item []byte) error {
	if len(r.interactions) == math.MaxInt32 {
		return usererr.New("Split the file.", "more than %d interactions", math.MaxInt32)
	}
	var err error
	if x.User, err = r.users.Row(user); err != nil {
		return err
	}
	if x.Item, err = r.items.Row(item); err != nil {
		return err
	}
	r.interactions = append(r.interactions, x)
	if nanos != 0 && r.nanos == nil {
		r.nanos = make([]int32, len(r.interactions)-1, cap(r.interactions))
	}
	if r.nanos != nil {
		r.nanos = append(r.nanos, nanos)
	}
	return nil
}

// orderWithinSeconds puts interactions of one second into their order: a data set keeps
// times in seconds, and those of equal times as they come.
func (r *reader) orderWithinSeconds() {
	if r.nanos == nil {
		return
	}
	order := make([]int32, len(r.interactions))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortStableFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(r.interactions[a].Time, r.interactions[b].Time), cmp.Compare(r.nanos[a], r.nanos[b]))
	})
	sorted := make([]dataset.Interaction, len(order))
	for i, row := range order {
		sorted[i] = r.interactions[row]
	}
	r.interactions, r.nanos = sorted, nil
}

// clock says what the times mean: filler that is the same in every row means nothing.
func (r *reader) clock() string {
	for _, x := range r.interactions {
		if x.Time != r.interactions[0].Time {
			return dataset.ClockMoment
		}
	}
	return dataset.ClockNone
}

func parseLabel(c cell) (dataset.Label, bool) {
	if c.kind != single {
		return 0, false
	}
	switch strings.ToLower(strings.TrimSpace(string(c.text))) {
	case "0", "0.0", "train":
		return dataset.Train, true
	case "1", "1.0", "valid", "val", "validation":
		return dataset.Valid, true
	case "2", "2.0", "test":
		return dataset.Test, true
	}
	return 0, false
}
