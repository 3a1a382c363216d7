package shopfront

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"math"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/answering"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// The bounds of a question.
const (
	MaxK       = 1000 // items of a page, and how deep pages go
	MaxHistory = 1000
	MaxText    = 10_000 // bytes of a sentence
)

// Query is a question for items. It names a user, or says what somebody chose, likes, or both.
type Query struct {
	User      string
	History   []string // ids of items chosen, oldest first; of a user: in place of what is known
	Text      string   // what they like, in words; of a user: in place of the preference text
	K         int
	Cursor    string  // of the page before; "": the first
	Diversity float64 // from 0, by score alone, to 1, as unlike each other as can be (maximal marginal relevance)
	Filter    Filter
	Because   bool // with reasons
	Parts     bool // with what scores are made of
}

// Filter says which items may be in a list. Its parts must all hold; an empty part holds for every item.
type Filter struct {
	Any   []string `json:"any,omitempty"`  // categories, of which an item has one at least
	All   []string `json:"all,omitempty"`  // categories, of which an item has each
	None  []string `json:"none,omitempty"` // categories, of which an item has none
	Brand []string `json:"brand,omitempty"`
	Allow []string `json:"allow,omitempty"` // ids of the only items that may be in it
	Deny  []string `json:"deny,omitempty"`  // ids of items that may not
	Seen  bool     `json:"seen,omitempty"`  // items that the user chose may be in it

	MinPrice float64 `json:"min_price,omitempty"` // 0: any; an item without a price is in no range
	MaxPrice float64 `json:"max_price,omitempty"` // likewise
}

// prices are the ends of the range asked for; asked is false where there is none.
func (f *Filter) prices() (low, high float64, asked bool) {
	low, high = f.MinPrice, f.MaxPrice
	if high == 0 {
		high = math.Inf(1)
	}
	return low, high, f.MinPrice > 0 || f.MaxPrice > 0
}

// Basis says what an answer was made from.
type Basis string

// What answers are made from.
const (
	ByUser     Basis = "user"     // what the run knows of the user, and what they did since
	ByHistory  Basis = "history"  // items chosen
	BySentence Basis = "sentence" // what was said
	ByBoth     Basis = "history and sentence"
	ByNobody   Basis = "popularity" // nothing is known of who asks: what most people chose
)

// Answer is a list of items.
type Answer struct {
	Run, Model, Arm string
	Leaky           bool
	Generation      uint64
	Basis           Basis
	Preference      string // the preference text that was read, where one was
	Note            string // what whoever asks should know; "" mostly
	Hits            []Hit
	Next            string // cursor of the next page; "": there is none
	Matching        int    // items that the filter lets through
}

// Hit is one item of an answer.
type Hit struct {
	Rank        int // from 1
	Item        *dataset.Item
	Score       float64
	Provisional bool // it came after the run was trained, and is judged by the items that it is most like
	Because     []Reason
	Parts       []Part
}

// Reason is answering.Reason with the item named.
type Reason struct {
	Item   *dataset.Item // nil where words tie
	Via    string
	Weight float64
	Edge   float64
	Words  string
}

// arm returns the arm that a user is in: always the same while the arms' names and shares are.
func (f *front) arm(user string) *arm {
	if len(f.arms) == 1 {
		return &f.arms[0]
	}
	h := fnv.New64a()
	h.Write([]byte(user)) //nolint:errcheck // it cannot fail
	// The low bits of FNV of near-equal ids are alike: mix them before they are cut into percents.
	x := h.Sum64()
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	at := int(x % 100)
	for n := range f.arms {
		if at -= f.arms[n].share; at < 0 {
			return &f.arms[n]
		}
	}
	return &f.arms[len(f.arms)-1]
}

func (q *Query) check() error {
	switch {
	case q.K < 1 || q.K > MaxK:
		return usererr.New("Ask for 10, for example.", "k is %d; from 1 to %d items can be asked for", q.K, MaxK)
	case len(q.History) > MaxHistory:
		return usererr.New("Send the newest.", "%d items of a history are more than %d", len(q.History), MaxHistory)
	case len(q.Text) > MaxText:
		return usererr.New("Say it in fewer words.", "a sentence of %d bytes is longer than %d", len(q.Text), MaxText)
	case q.Text != "" && strings.TrimSpace(q.Text) == "":
		return usererr.New("Say in a sentence what is liked.", "empty sentence")
	case math.IsNaN(q.Diversity) || q.Diversity < 0 || q.Diversity > 1:
		return usererr.New("", "the diversity is %v; it goes from 0 to 1", q.Diversity)
	case !(q.Filter.MinPrice >= 0 && q.Filter.MaxPrice >= 0): // NaN, too
		return usererr.New("", "a price is at least 0; the range goes from %v to %v", q.Filter.MinPrice, q.Filter.MaxPrice)
	case q.Filter.MaxPrice > 0 && q.Filter.MinPrice > q.Filter.MaxPrice:
		return usererr.New("Name the lower price first.", "the price range goes from %v down to %v", q.Filter.MinPrice, q.Filter.MaxPrice)
	}
	return nil
}

// asker is who asks, in rows of a view.
type asker struct {
	answering.Asker
	basis Basis
	skip  []int32 // rows that they chose or hid
	hid   []int32
	note  string
}

// asker finds out who asks. p is what happened to the user.
func (v *view) asker(q *Query, p *person) (a asker, err error) {
	a.User = answering.Stranger
	if q.User != "" {
		if u, err := v.engine.User(q.User); err == nil {
			a.Asker = v.engine.Known(u)
		} else if p == nobody && len(q.History) == 0 && q.Text == "" {
			return a, err
		}
	}
	a.basis = ByUser
	if a.Text = q.Text; a.Text == "" {
		a.Text = p.text()
	} else {
		a.basis = BySentence
	}
	switch {
	case len(q.History) > 0:
		if a.basis = ByHistory; q.Text != "" {
			a.basis = ByBoth
		}
		a.History = nil
		if err := v.chose(&a, q.History, true); err != nil {
			return a, err
		}
	default:
		if err := v.chose(&a, p.chosen, false); err != nil {
			return a, err
		}
	}
	for _, id := range p.hidden {
		if row, ok := v.row(id); ok {
			a.hid = append(a.hid, row)
		}
	}
	if a.User < 0 && len(a.History) == 0 && a.Text == "" {
		a.basis = ByNobody
	}
	return a, nil
}

// chose adds items to a history. Those that came after the run was trained cannot lead a list, and are left out of it.
func (v *view) chose(a *asker, ids []string, strict bool) error {
	a.skip = append(a.skip, a.History...)
	grown := slices.Clip(a.History)
	for _, id := range ids {
		row, ok := v.row(id)
		switch {
		case !ok && strict:
			return usererr.Of(usererr.KindUnknown, "Ids are those of the catalogue.", "unknown item %q", id)
		case !ok:
			continue
		}
		a.skip = append(a.skip, row)
		if int(row) < v.engine.Items() && !slices.Contains(a.History, row) {
			grown = append(grown, row)
		}
	}
	a.History = grown
	return nil
}

// place places who asks, where the run's model can. If it cannot, popularity stands in, and the answer says so.
func (v *view) place(ctx context.Context, a *asker) (*answering.Placed, error) {
	if a.basis == ByNobody {
		a.note = "nothing is known of who asks: these are the items that most people chose"
		return nil, nil
	}
	e := v.engine
	switch {
	case a.Text != "" && !e.ReadsPreferences():
		if a.User < 0 && len(a.History) == 0 || a.basis == BySentence || a.basis == ByBoth {
			return nil, usererr.New("Ask by items chosen, or serve a run of a model that reads preference texts, such as hybrid or mllmrec.", "run %s of model %s reads no sentences", e.Run.ID, e.Run.Model)
		}
		a.Text, a.note = "", fmt.Sprintf("model %s reads no preference texts: the one that was written has no effect", e.Run.Model)
	case a.User < 0 && a.Text == "" && !e.PlacesHistories() && !e.ReadsPreferences():
		if a.basis == ByHistory {
			return nil, usererr.New("Serve a run of another model, such as hybrid or bm25.", "model %s knows people by their id only", e.Run.Model)
		}
		a.basis, a.note = ByNobody, fmt.Sprintf("model %s knows nobody who came after it was trained: these are the items that most people chose", e.Run.Model)
		return nil, nil
	}
	return e.Place(ctx, []answering.Asker{a.Asker})
}

// position is what a cursor says.
type position struct {
	From  int    `json:"f"` // items before the page
	Query string `json:"q"` // fingerprint of the question
}

// fingerprint is the same for the same question, whatever its page, and for no other.
func (q *Query) fingerprint() string {
	raw, _ := json.Marshal([]any{q.User, q.History, q.Text, q.Diversity, q.Filter}) //nolint:errchkjson // strings and numbers
	sum := sha256.Sum256(raw)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

// from returns how many items stand before the page.
func (q *Query) from() (int, error) {
	if q.Cursor == "" {
		return 0, nil
	}
	var p position
	raw, err := base64.RawURLEncoding.DecodeString(q.Cursor)
	if err == nil {
		err = json.Unmarshal(raw, &p)
	}
	if err != nil || p.From < 1 {
		return 0, usererr.New("Take it from the page before.", "the cursor is none of this server's")
	}
	if p.Query != q.fingerprint() {
		return 0, usererr.New("Ask with the same user, history, sentence, filter and diversity as for the page before.", "the cursor belongs to another question")
	}
	if p.From >= MaxK {
		return 0, usererr.New("Narrow the filter.", "pages go %d items deep", MaxK)
	}
	return p.From, nil
}

// cursor is that of the page that begins behind so many items.
func (q *Query) cursor(from int) string {
	raw, _ := json.Marshal(position{from, q.fingerprint()}) //nolint:errchkjson // numbers
	return base64.RawURLEncoding.EncodeToString(raw)
}
