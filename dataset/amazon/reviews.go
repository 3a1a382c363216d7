package amazon

import (
	"math"
	"strconv"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/literal"
	"github.com/mllmrec/mllmrec/dataset/internal/moment"
	"github.com/mllmrec/mllmrec/dataset/internal/source"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// reviews gathers the interactions of one file.
type reviews struct {
	lines
	generation   Generation
	decided      bool // generation is no longer open
	users, items *dataset.Index
	interactions []dataset.Interaction
	row          reviewRow
	times        moment.Column
}

// reviewRow is what one line says. Ids are copied into buffers of the row's own,
// since the scanner reuses its.
type reviewRow struct {
	user, item, parent field // reviewerID or user_id; asin; parent_asin
	time, rating       field // numbers as written
	new                bool  // names of 2023
	helpful, verified  bool  // names of 2014; of 2018
	product            bool  // names of metadata
}

// field is a member's text and where its value begins.
type field struct {
	text  []byte
	at    int // 1-based byte; 0 = absent
	wrong bool
}

func (f *field) reset() { f.text, f.at, f.wrong = f.text[:0], 0, false }

func (r *reviewRow) reset() {
	for _, f := range []*field{&r.user, &r.item, &r.parent, &r.time, &r.rating} {
		f.reset()
	}
	r.new, r.helpful, r.verified, r.product = false, false, false, false
}

// take reads the value into f when it is of the wanted kind. Null counts as absent.
func (r *reviews) take(f *field, want literal.Kind) error {
	f.reset()
	at := r.scan.Offset() + 1
	switch kind := r.scan.Kind(); {
	case kind == literal.Word:
		word, err := r.scan.Word()
		f.at, f.wrong = at, word != "null" && word != "None"
		if !f.wrong {
			f.at = 0
		}
		return err
	case kind != want:
		f.at, f.wrong = at, true
		return r.scan.Skip()
	}
	var b []byte
	var err error
	if want == literal.String {
		b, err = r.scan.String()
	} else {
		b, err = r.scan.Number()
	}
	f.text, f.at = append(f.text, b...), at
	return err
}

func (r *reviews) member(key []byte) error {
	switch string(key) {
	case "reviewerID":
		return r.take(&r.row.user, literal.String)
	case "asin":
		return r.take(&r.row.item, literal.String)
	case "unixReviewTime", "timestamp":
		if r.scan.Kind() == literal.String {
			return r.take(&r.row.time, literal.String)
		}
		return r.take(&r.row.time, literal.Number)
	case "overall":
		return r.take(&r.row.rating, literal.Number)
	case "user_id":
		r.row.new = true
		return r.take(&r.row.user, literal.String)
	case "parent_asin":
		return r.take(&r.row.parent, literal.String)
	case "rating":
		return r.take(&r.row.rating, literal.Number)
	case "helpful":
		r.row.helpful = true
	case "verified":
		r.row.verified = true
	case "imUrl", "related", "categories", "category", "also_buy", "main_cat", "main_category", "details", "store", "brand":
		r.row.product = true
	}
	return r.scan.Skip()
}

// line reads one review. A bad line adds nothing.
func (r *reviews) line(line []byte, _ int) error {
	r.row.reset()
	if err := r.object(line, r.member); err != nil {
		return err
	}
	userName, itemName, timeName, ratingName, item := "reviewerID", "asin", "unixReviewTime", "overall", &r.row.item
	if r.row.new {
		userName, itemName, timeName, ratingName, item = "user_id", "parent_asin", "timestamp", "rating", &r.row.parent
	}
	for _, id := range []struct {
		name string
		f    *field
	}{{userName, &r.row.user}, {itemName, item}} {
		switch why := dataset.CheckID(id.f.text); {
		case id.f.at == 0 && r.row.product:
			return usererr.New("Give the reviews, one a line, as reviews, and this file as metadata.", "this is a file of product metadata, and not of reviews")
		case id.f.at == 0:
			return source.Bad(0, "no %s", id.name)
		case id.f.wrong:
			return source.Bad(id.f.at, "%s is no text", id.name)
		case why != "":
			return source.Bad(id.f.at, "%s: %s", id.name, why)
		}
	}
	var x dataset.Interaction
	var written moment.Format
	switch f := &r.row.time; {
	case f.at == 0:
		return source.Bad(0, "no %s", timeName)
	case f.wrong:
		return source.Bad(f.at, "%s is no time", timeName)
	default:
		t, format, why := r.times.Parse(string(f.text))
		if why != "" {
			return source.Bad(f.at, "%s: %s", timeName, why)
		}
		x.Time, written = t.Seconds, format
	}
	if f := &r.row.rating; f.at > 0 && (f.wrong || !parseRating(f.text, &x.Rating)) {
		return source.Bad(f.at, "%s is no number", ratingName)
	}
	if err := r.decide(); err != nil {
		return err
	}
	r.times.Settle(written)
	return r.add(x, r.row.user.text, item.text)
}

// decide settles the generation by the first row that tells, and holds the others to it.
func (r *reviews) decide() error {
	if r.decided && (r.generation == Gen2023) != r.row.new {
		return source.Bad(0, "a review of another generation than the file's first, which is of %s", r.generation)
	}
	switch {
	case r.row.new:
		r.generation = Gen2023
	case r.generation != Unknown:
	case r.row.verified:
		r.generation = Gen2018
	case r.row.helpful:
		r.generation = Gen2014
	}
	r.decided = true
	return nil
}

func (r *reviews) add(x dataset.Interaction, user, item []byte) error {
	if len(r.interactions) == math.MaxInt32 {
		return usererr.New("Split the file.", "more than %d reviews", math.MaxInt32)
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

func parseRating(b []byte, to *float32) bool {
	v, err := strconv.ParseFloat(string(b), 32)
	*to = float32(v)
	return err == nil
}
