package shopfront

import (
	"context"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/sqlite"
	"github.com/mllmrec/mllmrec/internal/shopfront/shoptest"
)

func TestMain(m *testing.M) { shoptest.Main(m) }

// open opens a shop over a workspace and a live state of the test's own.
func open(t testing.TB, dir, run string) *Shop {
	t.Helper()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "live.db"))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), store, run, Options{Dir: dir, Cache: 8 << 20, Poll: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		store.Close() //nolint:errcheck // nothing is written any more
	})
	return s
}

func (s *Shop) ask(t testing.TB, q Query) *Answer {
	t.Helper()
	a, err := s.Recommend(context.Background(), q)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func ids(a *Answer) (all []string) {
	for _, h := range a.Hits {
		all = append(all, h.Item.ID)
	}
	return all
}

func mustDo(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// What is hidden is gone from every list with the next answer, kept answers included, and back when it is shown again.
func TestHiddenItemsAreGoneFromEveryList(t *testing.T) {
	dir, _ := shoptest.Shop(t, "hybrid")
	s := open(t, dir, "")
	q := Query{User: shoptest.User(0), K: 5}
	before := s.ask(t, q)
	if again := s.ask(t, q); again != before {
		t.Error("the same question again was not answered from what was kept: this test would show nothing")
	}
	gone := before.Hits[0].Item.ID
	other := before.Hits[1].Item.ID
	if _, err := s.HideItems(t.Context(), []string{gone}, true); err != nil {
		t.Fatal(err)
	}
	lists := func() map[string][]string {
		similar, err := s.Similar(t.Context(), other, 40, Filter{})
		mustDo(t, err)
		info, err := s.Item(t.Context(), other, 40)
		mustDo(t, err)
		var near, found []string
		for _, n := range info.Near {
			near = append(near, n.Item.ID)
		}
		items, _ := s.Search("mug", 0, 100)
		for _, it := range items {
			found = append(found, it.ID)
		}
		return map[string][]string{"user": ids(s.ask(t, q)), "history": ids(s.ask(t, Query{History: []string{other}, K: 100})),
			"sentence": ids(s.ask(t, Query{Text: "a mug for coffee", K: 100})), "similar": ids(similar), "near": near, "search": found}
	}
	for name, list := range lists() {
		if slices.Contains(list, gone) || len(list) == 0 {
			t.Errorf("%s: %s in %q", name, gone, list)
		}
	}
	if a := s.ask(t, q); len(a.Hits) != 5 {
		t.Errorf("%d items after one was hidden, want 5", len(a.Hits))
	}
	if _, err := s.HideItems(t.Context(), []string{gone}, false); err != nil {
		t.Fatal(err)
	}
	for name, list := range lists() {
		if !slices.Contains(list, gone) && name != "near" {
			t.Errorf("%s: %s is not back in %q", name, gone, list)
		}
	}
	if after := s.ask(t, q); !slices.Equal(ids(after), ids(before)) {
		t.Errorf("%q, before it was hidden %q", ids(after), ids(before))
	}
}

// k is exact after filters: the filtered list is the whole list less what the filter does not let through.
func TestFiltersAreExact(t *testing.T) {
	dir, runs := shoptest.Shop(t, "hybrid", "bm25")
	for _, model := range []string{"hybrid", "bm25"} {
		s := open(t, dir, runs[model])
		user := shoptest.User(1)
		whole := s.ask(t, Query{User: user, K: MaxK})
		history, err := s.History(user)
		mustDo(t, err)
		if len(whole.Hits) != 4*shoptest.Looks-len(history) || whole.Matching != len(whole.Hits) {
			t.Fatalf("%d items, %d match, %d chosen", len(whole.Hits), whole.Matching, len(history))
		}
		deny := whole.Hits[3].Item.ID
		for _, c := range []struct {
			filter Filter
			holds  func(*dataset.Item) bool
		}{
			{Filter{Any: []string{"Mugs", "Tents"}}, func(i *dataset.Item) bool { return i.Categories[1] == "Mugs" || i.Categories[1] == "Tents" }},
			{Filter{All: []string{"Outdoor", "Tents"}}, func(i *dataset.Item) bool { return i.Categories[1] == "Tents" }},
			{Filter{All: []string{"Home", "Tents"}}, func(*dataset.Item) bool { return false }},
			{Filter{None: []string{"Home"}}, func(i *dataset.Item) bool { return i.Categories[0] != "Home" }},
			{Filter{MinPrice: 20}, func(i *dataset.Item) bool { return i.Price >= 20 }},
			{Filter{MaxPrice: 20}, func(i *dataset.Item) bool { return i.Price > 0 && i.Price <= 20 }},
			{Filter{MinPrice: 10, MaxPrice: 10, Any: []string{"Mugs"}}, func(i *dataset.Item) bool { return i.Price == 10 && slices.Contains(i.Categories, "Mugs") }},
			{Filter{Brand: []string{"Fleet", "no such"}}, func(i *dataset.Item) bool { return i.Brand == "Fleet" }},
			{Filter{Deny: []string{deny, "no such"}}, func(i *dataset.Item) bool { return i.ID != deny }},
			{Filter{Allow: []string{"mug-01", "tent-02", "lamp-03", "no such"}}, func(i *dataset.Item) bool { return i.ID == "mug-01" || i.ID == "tent-02" || i.ID == "lamp-03" }},
			{Filter{Any: []string{"no such"}}, func(*dataset.Item) bool { return false }},
		} {
			var want []string
			for _, h := range whole.Hits {
				if c.holds(h.Item) {
					want = append(want, h.Item.ID)
				}
			}
			for _, k := range []int{1, 4, 100} {
				a := s.ask(t, Query{User: user, K: k, Filter: c.filter})
				if !slices.Equal(ids(a), want[:min(k, len(want))]) || a.Matching != len(want) {
					t.Errorf("%s, %+v, k=%d: %q of %d, want %q of %d", model, c.filter, k, ids(a), a.Matching, want, len(want))
				}
			}
		}
		if a := s.ask(t, Query{User: user, K: MaxK, Filter: Filter{Seen: true}}); len(a.Hits) != 4*shoptest.Looks {
			t.Errorf("with seen ones %d items, want all", len(a.Hits))
		}
	}
}

// Pages put together are the list in one; a cursor of another question is refused.
func TestPagesAreOneList(t *testing.T) {
	dir, _ := shoptest.Shop(t, "hybrid")
	s := open(t, dir, "")
	for _, q := range []Query{{User: shoptest.User(2)}, {Text: "warm light", Filter: Filter{Any: []string{"Home"}}}, {User: shoptest.User(3), Diversity: 0.4}} {
		one := q
		one.K = 21
		want := ids(s.ask(t, one))
		var got []string
		q.K = 7
		for range 3 {
			a := s.ask(t, q)
			if a.Hits[0].Rank != len(got)+1 {
				t.Errorf("a page begins with rank %d behind %d items", a.Hits[0].Rank, len(got))
			}
			got, q.Cursor = append(got, ids(a)...), a.Next
		}
		if q.Diversity == 0 && !slices.Equal(got, want) || len(got) != 21 {
			t.Errorf("%q, want %q", got, want)
		}
		q.User = shoptest.User(9)
		if _, err := s.Recommend(t.Context(), q); err == nil {
			t.Error("another user's cursor is taken")
		}
	}
	q := Query{User: shoptest.User(2), K: 30}
	for range 3 {
		a := s.ask(t, q)
		if q.Cursor = a.Next; q.Cursor == "" {
			break
		}
	}
	if q.Cursor != "" {
		t.Error("pages have no end")
	}
	for _, bad := range []string{"x", "e30", "!!", strings.Repeat("A", 5000)} {
		if _, err := s.Recommend(t.Context(), Query{User: shoptest.User(2), K: 3, Cursor: bad}); err == nil {
			t.Errorf("cursor %q is taken", bad)
		}
	}
}

// An edited preference changes the next list, outlives the process, and can be taken back.
func TestPreferencesAreEditedAtOnce(t *testing.T) {
	for _, model := range []string{"mllmrec", "hybrid"} {
		t.Run(model, func(t *testing.T) { editAtOnce(t, model) })
	}
}

func editAtOnce(t *testing.T, model string) {
	dir, runs := shoptest.Shop(t, "hybrid", "mllmrec")
	s := open(t, dir, runs[model])
	user := shoptest.User(0) // likes mugs
	q := Query{User: user, K: 8}
	before := ids(s.ask(t, q))
	was, err := s.Preference(t.Context(), user)
	mustDo(t, err)
	if !was.Own || was.Text == "" || was.Version != 0 || !was.Read {
		t.Fatalf("%+v", was)
	}
	mustDo(t, s.EditPreference(t.Context(), live.Edit{User: user, Text: "waterproof tent, shelter for campers", By: live.ByUser}))
	tents := func(list []string) (n int) {
		for _, id := range list {
			if shoptest.Kind(id) == "tent" {
				n++
			}
		}
		return n
	}
	after := s.ask(t, q)
	if tents(ids(after)) <= tents(before)+2 || after.Preference != "waterproof tent, shelter for campers" || after.Basis != ByUser {
		t.Errorf("%q by %q, before %q", ids(after), after.Preference, before)
	}
	if err := s.EditPreference(t.Context(), live.Edit{User: user, Text: "late", By: live.ByUser, Base: 0}); !live.Conflict(err) {
		t.Errorf("an edit of what was edited meanwhile: %v", err)
	}
	// Another process, or the next one.
	twin := open(t, dir, runs[model])
	if got := ids(twin.ask(t, q)); !slices.Equal(got, ids(after)) {
		t.Errorf("after a restart %q, want %q", got, ids(after))
	}
	mustDo(t, s.RevertPreference(t.Context(), user, 0, live.ByUser, 1))
	if got := ids(s.ask(t, q)); !slices.Equal(got, before) {
		t.Errorf("taken back %q, want %q", got, before)
	}
	for wait := 0; !slices.Equal(ids(twin.ask(t, q)), before); wait++ { // the other process follows
		if wait > 200 {
			t.Fatal("the other process does not follow")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if err := s.EditPreference(t.Context(), live.Edit{User: "stranger", Text: "x", By: live.ByUser}); !Unknown(err) {
		t.Errorf("a stranger's preference: %v", err)
	}
}

// Parts sum to scores and items to parts, for items that came later too.
func TestPartsAddUp(t *testing.T) {
	dir, runs := shoptest.Shop(t, "hybrid", "bm25", "mllmrec")
	for _, model := range []string{"hybrid", "bm25", "mllmrec"} {
		s := open(t, dir, runs[model])
		_, err := s.PutItems(t.Context(), []dataset.Item{{ID: "new-mug", Title: "Striped red mug", Categories: []string{"Home", "Mugs"}, Description: "Stoneware for coffee"}})
		mustDo(t, err)
		hits := s.ask(t, Query{User: shoptest.User(0), K: 60, Parts: true, Because: true}).Hits
		if model != "bm25" { // without texts nobody knows whom a new item is like
			at := slices.IndexFunc(hits, func(h Hit) bool { return h.Item.ID == "new-mug" })
			if at < 0 || at > 20 || !hits[at].Provisional || len(hits[at].Because) == 0 || shoptest.Kind(hits[at].Because[0].Item.ID) != "mug" {
				t.Errorf("%s: the new mug has place %d", model, at)
			}
		}
		for _, h := range hits {
			sum := 0.0
			for _, p := range h.Parts {
				sum += p.Score
				inner := p.Rest
				for _, i := range p.Items {
					inner += i.Score
				}
				if math.Abs(inner-p.Score) > 1e-6*(1+math.Abs(p.Score)) {
					t.Errorf("%s, %s: part %s is %v, its items and rest %v", model, h.Item.ID, p.View, p.Score, inner)
				}
			}
			if len(h.Parts) == 0 || math.Abs(sum-h.Score) > 1e-4*(1+math.Abs(h.Score)) {
				t.Errorf("%s: %s has score %v, its %d parts sum to %v", model, h.Item.ID, h.Score, len(h.Parts), sum)
			}
		}
		x, err := s.Explain(t.Context(), shoptest.User(0), hits[4].Item.ID)
		mustDo(t, err)
		if x.Hit.Rank != 5 || x.Hit.Score != hits[4].Score || x.Out != "" {
			t.Errorf("%s: explained as %d of %d with %v, in the list it is 5 with %v", model, x.Hit.Rank, x.Of, x.Hit.Score, hits[4].Score)
		}
	}
}

// What a user likes or hides is heeded by the next answer, and is there after a restart.
func TestFeedbackIsHeeded(t *testing.T) {
	dir, _ := shoptest.Shop(t, "hybrid")
	s := open(t, dir, "")
	user := shoptest.User(4)
	list := ids(s.ask(t, Query{User: user, K: 6}))
	event := func(user, item string, typ live.EventType) {
		t.Helper()
		_, err := s.Feedback(t.Context(), []live.Event{{User: user, Item: item, Type: typ}})
		mustDo(t, err)
	}
	event(user, list[0], live.Purchase)
	event(user, list[1], live.Hide)
	event(user, list[2], live.View)
	check := func(s *Shop) {
		t.Helper()
		got := ids(s.ask(t, Query{User: user, K: 40}))
		if slices.Contains(got, list[0]) || slices.Contains(got, list[1]) || !slices.Contains(got, list[2]) {
			t.Errorf("%q, of %q the first was bought, the second hidden, the third looked at", got, list)
		}
		history, err := s.History(user)
		mustDo(t, err)
		if last := history[len(history)-1]; !last.Live || last.Item.ID != list[0] {
			t.Errorf("the history ends with %+v", last)
		}
		// Somebody who was nobody until they chose something.
		if a := s.ask(t, Query{User: "visitor", K: 5}); a.Basis != ByUser || shoptest.Kind(a.Hits[0].Item.ID) != "tent" {
			t.Errorf("the visitor who bought tents gets %q by %s", ids(a), a.Basis)
		}
	}
	if _, err := s.Recommend(t.Context(), Query{User: "visitor", K: 5}); !Unknown(err) {
		t.Errorf("a visitor of whom nothing is known: %v", err)
	}
	for look := range 3 {
		event("visitor", shoptest.Item(3, look), live.Like)
	}
	check(s)
	check(open(t, dir, ""))
	if _, err := s.AddUsers(t.Context(), []string{"newcomer"}); err != nil {
		t.Fatal(err)
	}
	if a := s.ask(t, Query{User: "newcomer", K: 5}); a.Basis != ByNobody || a.Note == "" || len(a.Hits) != 5 {
		t.Errorf("somebody of whom nothing is known gets %+v", a)
	}
}

// Arms keep their users and get about their shares.
func TestArmsAreSticky(t *testing.T) {
	dir, runs := shoptest.Shop(t, "hybrid", "bm25")
	s := open(t, dir, "")
	state := live.ServingState{Run: runs["hybrid"], Arms: []live.Arm{{Name: "base", Run: runs["hybrid"], Share: 70}, {Name: "new", Run: runs["bm25"], Share: 30}}}
	mustDo(t, s.Serve(t.Context(), state))
	count := map[string]int{}
	for n := range 5000 {
		user := "visitor-" + shoptest.User(n)
		arm := s.front.Load().arm(user)
		if again := s.front.Load().arm(user); again != arm {
			t.Fatal("a user changes arms")
		}
		count[arm.name]++
	}
	if n := count["new"]; n < 1350 || n > 1650 { // 30 % of 5,000, ± 4.6 standard deviations
		t.Errorf("%v of 5000 users, want about 1500 in new", count)
	}
	met := map[string]string{}
	for n := range shoptest.Users {
		a := s.ask(t, Query{User: shoptest.User(n), K: 3})
		met[a.Arm] = a.Model
	}
	if met["base"] != "hybrid" || met["new"] != "bm25" {
		t.Errorf("%v", met)
	}
}

// Runs are swapped, items hidden, preferences edited and feedback posted while many ask: nobody gets an error, and every answer is
// of one run.
func TestSwapUnderLoad(t *testing.T) {
	dir, runs := shoptest.Shop(t, "hybrid", "bm25")
	s := open(t, dir, "")
	ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
	defer cancel()
	var group sync.WaitGroup
	for w := range 4 {
		group.Go(func() {
			for n := w; ctx.Err() == nil; n++ {
				a, err := s.Recommend(context.Background(), Query{User: shoptest.User(n % shoptest.Users), K: 5, Because: true, Parts: n%2 == 0})
				if err != nil || len(a.Hits) != 5 || a.Model == "" || runs[a.Model] != a.Run {
					t.Errorf("%v, %+v", err, a)
					return
				}
			}
		})
	}
	swaps := 0
	for ; ctx.Err() == nil; swaps++ {
		mustDo(t, s.Serve(context.Background(), live.ServingState{Run: runs[[]string{"hybrid", "bm25"}[swaps%2]]}))
		_, err := s.HideItems(context.Background(), []string{shoptest.Item(swaps%4, 1)}, swaps%3 == 0)
		mustDo(t, err)
		_, err = s.Feedback(context.Background(), []live.Event{{User: shoptest.User(swaps % shoptest.Users), Item: shoptest.Item(1, swaps%shoptest.Looks), Type: live.Like}})
		mustDo(t, err)
	}
	group.Wait()
	if swaps < 3 {
		t.Errorf("%d swaps show nothing", swaps)
	}
}

// Diversity 0 is the list by score; with more of it the items are less alike.
func TestDiversity(t *testing.T) {
	dir, _ := shoptest.Shop(t, "hybrid")
	s := open(t, dir, "")
	alike := func(d float64) (sum float64) {
		v := s.front.Load().arms[0].view
		cos, err := v.engine.Alike(t.Context())
		mustDo(t, err)
		list := s.ask(t, Query{User: shoptest.User(0), K: 6, Diversity: d}).Hits
		for i := range list {
			for j := range i {
				a, _ := v.row(list[i].Item.ID)
				b, _ := v.row(list[j].Item.ID)
				sum += cos(a, b)
			}
		}
		return sum
	}
	if none, some, all := alike(0), alike(0.5), alike(1); !(none > some && some > all) {
		t.Errorf("likeness of lists without diversity %v, with 0.5 %v, with 1 %v", none, some, all)
	}
}
