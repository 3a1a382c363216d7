package shopfront

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/answering"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func unknownItem(id string) error {
	return usererr.Of(usererr.KindUnknown, "Ids are those of the catalogue.", "unknown item %q", id)
}

// Similar returns the items that are most like one, less those that the filter does not let through, with what ties them.
func (s *Shop) Similar(ctx context.Context, id string, k int, filter Filter) (*Answer, error) {
	q := Query{K: k, Filter: filter, Because: true}
	if err := q.check(); err != nil {
		return nil, err
	}
	f := s.front.Load()
	v := f.arms[0].view
	row, ok := v.row(id)
	if !ok {
		return nil, unknownItem(id)
	}
	run := v.engine.Run
	answer := &Answer{Run: v.run, Model: run.Model, Arm: f.arms[0].name, Leaky: run.Leaky, Generation: f.generation, Basis: ByHistory}
	stand := row
	if int(row) >= v.engine.Items() {
		x := &v.extra[int(row)-v.engine.Items()]
		if len(x.near) == 0 {
			answer.Note = x.why
			return answer, nil
		}
		stand = x.near[0]
		answer.Note = "the item came after the run was trained: these are like the one that it is most like"
	}
	list, placed, err := v.engine.Similar(ctx, stand, v.engine.Items(), nil)
	if err != nil {
		return nil, err
	}
	scores := take(v.size())
	defer rows.Put(scores)
	for n := range *scores {
		(*scores)[n] = lowest
	}
	for n, i := range list.Items {
		(*scores)[i] = list.Scores[n]
	}
	who := asker{skip: []int32{row}}
	if answer.Matching = v.mask(*scores, &q, &who); row != stand && (*scores)[stand] == lowest {
		(*scores)[stand] = 1
		answer.Matching = v.mask(*scores, &q, &who)
	}
	p, err := v.pick(ctx, *scores, k, 0)
	if err != nil {
		return nil, err
	}
	answer.Hits, err = v.hits(ctx, &q, placed, p, 0)
	return answer, err
}

// Explanation is what a score of one item for one user is made of.
type Explanation struct {
	Answer
	Hit  Hit
	Of   int    // items that were ranked
	Out  string // why the item stands in no list of theirs; "" where it may
	Text string // all that the run reads of the item in words
}

// Explain takes the score of an item for a user apart.
func (s *Shop) Explain(ctx context.Context, user, item string) (*Explanation, error) {
	f := s.front.Load()
	a, p := f.arm(user), s.people.of(user)
	v := a.view
	row, ok := v.row(item)
	if !ok {
		return nil, unknownItem(item)
	}
	q := Query{User: user, K: 1, Because: true, Parts: true}
	who, err := v.asker(&q, p)
	if err != nil {
		return nil, err
	}
	placed, err := v.place(ctx, &who)
	if err != nil {
		return nil, err
	}
	scores := take(v.size())
	defer rows.Put(scores)
	if err := v.score(placed, *scores); err != nil {
		return nil, err
	}
	score := (*scores)[row]
	run := v.engine.Run
	x := &Explanation{Answer: Answer{Run: v.run, Model: run.Model, Arm: a.name, Leaky: run.Leaky, Generation: f.generation, Basis: who.basis, Note: who.note},
		Hit: Hit{Item: v.item(row), Score: float64(score), Provisional: int(row) >= v.engine.Items()}}
	if placed != nil {
		x.Preference = placed.Texts[0]
	}
	if score == lowest {
		x.Hit.Score, x.Out = 0, v.extra[int(row)-v.engine.Items()].why
		return x, nil
	}
	x.Of = v.mask(*scores, &q, &who)
	switch {
	case v.hidden[row]:
		x.Out = "the item is hidden from every list"
	case slices.Contains(who.hid, row):
		x.Out = "the user hid it"
	case slices.Contains(who.skip, row):
		x.Out = "the user chose it"
	default:
		x.Hit.Rank = 1
		for i, other := range *scores {
			if other > score || other == score && int32(i) < row {
				x.Hit.Rank++
			}
		}
	}
	if x.Text, err = v.text(ctx, row); err != nil || placed == nil {
		return x, err
	}
	var explain func(int32) []model.Share
	if explain, err = placed.Explain(0); err != nil {
		return nil, err
	}
	return x, v.explain(ctx, &x.Hit, &q, placed, explain, row)
}

// text is all that is known of an item in words.
func (v *view) text(ctx context.Context, row int32) (string, error) {
	if int(row) < v.engine.Items() && v.changed[row] == nil {
		return v.engine.Text(ctx, row)
	}
	return v.item(row).Text(), nil
}

// Preference is what the shop believes of a user in words.
type Preference struct {
	User    string
	Text    string // "" where there is none
	Own     bool   // it is the run's own
	Version int64  // of the texts that were written while the shop was served; 0 where none was
	By      live.Author
	Changed time.Time
	Run     string // the run's own text, where it has one
	Read    bool   // the run's model reads preference texts: editing one changes what is recommended
}

// Preference returns a user's preference text.
func (s *Shop) Preference(ctx context.Context, user string) (*Preference, error) {
	f := s.front.Load()
	v, p := f.arm(user).view, s.people.of(user)
	out := &Preference{User: user, Own: true, Read: v.engine.ReadsPreferences()}
	u, err := v.engine.User(user)
	if err != nil && p == nobody {
		return nil, err
	}
	if err == nil {
		if out.Run, err = v.engine.Preference(ctx, u); err != nil {
			return nil, err
		}
	}
	if out.Text = out.Run; p.preference != nil {
		out.Version, out.By, out.Changed = p.preference.Version, p.preference.By, p.preference.Changed
		if out.Own = p.preference.Own; !out.Own {
			out.Text = p.preference.Text
		}
	}
	return out, nil
}

// Known reports whether the run or the live state knows a user.
func (s *Shop) Known(user string) bool {
	f := s.front.Load()
	_, err := f.arm(user).view.engine.User(user)
	return err == nil || s.people.of(user) != nobody
}

// EditPreference stores a text as a user's newest one. The next answer heeds it.
func (s *Shop) EditPreference(ctx context.Context, e live.Edit) error {
	if strings.TrimSpace(e.Text) == "" {
		return usererr.New("To have the run's own text again, revert to version 0.", "the preference text is empty")
	}
	if !s.Known(e.User) {
		return usererr.Of(usererr.KindUnknown, "Add the user first.", "unknown user %q", e.User)
	}
	if len(e.Text) > MaxText {
		return usererr.New("Say it in fewer words.", "a preference text of %d bytes is longer than %d", len(e.Text), MaxText)
	}
	if _, err := s.store.EditPreference(ctx, e); err != nil {
		return err
	}
	return s.CatchUp(ctx)
}

// RevertPreference makes an earlier text the newest again; version 0 is the run's own.
func (s *Shop) RevertPreference(ctx context.Context, user string, version int64, by live.Author, base int64) error {
	if _, err := s.store.RevertPreference(ctx, user, version, by, base); err != nil {
		return err
	}
	return s.CatchUp(ctx)
}

// PutItems adds items or changes them. The next answer heeds it.
func (s *Shop) PutItems(ctx context.Context, items []dataset.Item) ([]live.Item, error) {
	stored, err := s.store.PutItems(ctx, items)
	if err != nil {
		return nil, err
	}
	return stored, s.CatchUp(ctx)
}

// HideItems hides items from every list, or shows them again. The next answer heeds it.
func (s *Shop) HideItems(ctx context.Context, ids []string, hidden bool) ([]live.Item, error) {
	v := s.front.Load().arms[0].view
	for _, id := range ids {
		if _, ok := v.row(id); !ok {
			return nil, unknownItem(id)
		}
	}
	stored, err := s.store.HideItems(ctx, ids, hidden)
	if err != nil {
		return nil, err
	}
	return stored, s.CatchUp(ctx)
}

// AddUsers makes users known of whom nothing is known yet.
func (s *Shop) AddUsers(ctx context.Context, ids []string) ([]live.User, error) {
	stored, err := s.store.AddUsers(ctx, ids)
	if err != nil {
		return nil, err
	}
	return stored, s.CatchUp(ctx)
}

// Choice is an item that a user chose.
type Choice struct {
	Item *dataset.Item
	Live bool // since the run was trained
}

// History returns what a user chose, oldest first.
func (s *Shop) History(user string) ([]Choice, error) {
	f := s.front.Load()
	v, p := f.arm(user).view, s.people.of(user)
	var all []Choice
	u, err := v.engine.User(user)
	if err != nil && p == nobody {
		return nil, err
	}
	var known []int32
	if err == nil {
		known = v.engine.Train.Items(int(u))
	}
	for _, row := range known {
		all = append(all, Choice{Item: v.item(row)})
	}
	for _, id := range p.chosen {
		if row, ok := v.row(id); ok && !slices.Contains(known, row) {
			all = append(all, Choice{v.item(row), true})
		}
	}
	return all, nil
}

// ItemInfo is an item as it is now.
type ItemInfo struct {
	Item        *dataset.Item
	Text        string // all that the run reads of it in words
	Hidden      bool
	Changed     bool   // its fields were changed since the run was trained
	Provisional bool   // it came after the run was trained
	Why         string // why it stands in no list; "" where it may
	Near        []Near // what ties it to others, the strongest first
}

// Near is an item that another is tied to.
type Near struct {
	Item   *dataset.Item
	Via    string
	Weight float64
	Edge   float64   // weight in the item graph; 0 where it has no such edge
	To     []float64 // edges to the others of the list, by their places
}

// Item returns an item with its neighbourhood of k items.
func (s *Shop) Item(ctx context.Context, id string, k int) (*ItemInfo, error) {
	v := s.front.Load().arms[0].view
	row, ok := v.row(id)
	if !ok {
		return nil, unknownItem(id)
	}
	x := &ItemInfo{Item: v.item(row), Hidden: v.hidden[row], Changed: v.changed[row] != nil, Provisional: int(row) >= v.engine.Items()}
	var err error
	if x.Text, err = v.text(ctx, row); err != nil || k == 0 {
		return x, err
	}
	var edges []answering.Edge
	if x.Provisional {
		e := &v.extra[int(row)-v.engine.Items()]
		x.Why = e.why
		for n, near := range e.near[:min(k, len(e.near))] {
			edges = append(edges, answering.Edge{Item: near, Via: answering.ViaContent, Weight: float64(e.weights[n])})
		}
	} else if edges, err = v.engine.Neighbours(ctx, row, k+len(v.hidden)); err != nil {
		return nil, err
	}
	edges = slices.DeleteFunc(edges, func(e answering.Edge) bool { return v.hidden[e.Item] })
	edges = edges[:min(k, len(edges))]
	for _, e := range edges {
		n := Near{Item: v.item(e.Item), Via: e.Via, Weight: e.Weight, Edge: e.Edge}
		for _, other := range edges {
			w, err := v.engine.Between(ctx, e.Item, other.Item)
			if err != nil {
				return nil, err
			}
			n.To = append(n.To, w)
		}
		x.Near = append(x.Near, n)
	}
	return x, nil
}

// Search returns the items whose words match, the best first, and how many there are.
func (s *Shop) Search(query string, from, k int) (items []*dataset.Item, total int) {
	v := s.front.Load().arms[0].view
	found := v.words.find(query, func(row int32) bool { return !v.hidden[row] })
	for _, row := range found[min(from, len(found)):min(from+k, len(found))] {
		items = append(items, v.item(row))
	}
	return items, len(found)
}

// Counts is what the shop holds now.
type Counts struct{ Users, Items, Hidden, Added, Changed int }

// Counts counts what is served by the first arm.
func (s *Shop) Counts() Counts {
	v := s.front.Load().arms[0].view
	return Counts{v.engine.Data.Users(), v.size(), len(v.hidden), len(v.extra), len(v.changed)}
}
