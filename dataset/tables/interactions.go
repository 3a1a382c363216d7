package tables

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
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
	names        []string // by role
	use          [numRoles]usage
	times        timeColumn
}

func (r *reader) readInteractions(ctx context.Context, rep *dataset.Report) error {
	t, err := open(r.opt.Interactions, r.opt.InteractionsFormat, r.opt.NoHeader)
	if err != nil {
		return fmt.Errorf("open interactions: %w", err)
	}
	defer t.close()
	c := r.opt.Columns
	mapping := []wanted{{c.User, "user", "user-column", true}, {c.Item, "item", "item-column", true}, {c.Time, "time", "time-column", false},
		{c.Rating, "rating", "rating-column", false}, {c.Label, "label", "label-column", false}}
	if r.names, err = resolve(r.opt.Interactions, t.columns(), mapping); err != nil {
		return err
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
	rep.Files = append(rep.Files, t.report(pass))
	return nil
}

// interaction reads one row. A bad row adds nothing.
func (r *reader) interaction(cells []cell) error {
	var x dataset.Interaction
	for _, role := range []int{roleUser, roleItem} {
		if err := r.checkID(cells[role], role); err != nil {
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
	var format timeFormat
	if c := cells[roleTime]; c.kind != absent {
		var why string
		if x.Time, format, why = r.times.parse(c); why != "" {
			return source.Bad(c.at, "%s: %s", r.names[roleTime], why)
		}
	}
	if c := cells[roleRating]; c.kind != absent && len(c.text) > 0 {
		v, err := strconv.ParseFloat(string(c.text), 32)
		if err != nil || c.kind != single || math.IsNaN(v) || math.IsInf(v, 0) {
			return source.Bad(c.at, "%s: %s is no finite number", r.names[roleRating], quote(c.text))
		}
		x.Rating = float32(v)
	}
	if c := cells[roleLabel]; c.kind != absent {
		var ok bool
		if x.Label, ok = parseLabel(c); !ok {
			return source.Bad(c.at, "%s: %s is no label (0, 1, 2 or train, valid, test)", r.names[roleLabel], quote(c.text))
		}
	}
	r.settle(cells, format)
	return r.add(x, cells[roleUser].text, cells[roleItem].text)
}

func (r *reader) checkID(c cell, role int) error {
	switch {
	case c.kind == absent:
		return source.Bad(c.at, "no %s", r.names[role])
	case c.kind == multiple:
		return source.Bad(c.at, "%s is a list", r.names[role])
	}
	if why := dataset.CheckID(c.text); why != "" {
		return source.Bad(c.at, "%s: %s", r.names[role], why)
	}
	return nil
}

// settle fixes, at the first good row, what later rows are held to.
func (r *reader) settle(cells []cell, format timeFormat) {
	if format != noTime {
		r.times.format = format
	}
	for role := range r.use {
		if r.use[role] == undecided && role != roleRating {
			r.use[role] = unused
			if cells[role].kind != absent {
				r.use[role] = used
			}
		}
	}
}

func (r *reader) add(x dataset.Interaction, user, item []byte) error {
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
	return nil
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
	switch strings.ToLower(string(c.text)) {
	case "0", "0.0", "train":
		return dataset.Train, true
	case "1", "1.0", "valid", "val", "validation":
		return dataset.Valid, true
	case "2", "2.0", "test":
		return dataset.Test, true
	}
	return 0, false
}
