package demo

import (
	"cmp"
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"

	"github.com/mllmrec/mllmrec/internal/build"
	"github.com/mllmrec/mllmrec/internal/demo/shop"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/sqlite"
	"github.com/mllmrec/mllmrec/internal/retraining"
	"github.com/mllmrec/mllmrec/internal/shopfront"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Day is one day of a simulated month.
type Day struct {
	Day       int     `json:"day"`
	Kept      float64 `json:"kept"`      // of ten items recommended, those among the 36 that suit the newcomer best of what they have not; of those whose taste stays
	Changed   float64 `json:"changed"`   // the same of those whose taste changes on ChangeDay
	Popular   float64 `json:"popular"`   // the same of the ten that most people chose, for all
	Purchases int     `json:"purchases"` // posted on this day
	Run       string  `json:"run"`       // served on this day
	Swapped   bool    `json:"swapped"`   // the night's run takes its place
	Why       string  `json:"why"`
}

// What is simulated.
const (
	Days      = 30
	ChangeDay = 16 // on which half of the newcomers begin to like other things
	newcomers = 300
	shown     = 10
	suits     = 36 // the best tenth of the catalogue
)

// monthRun is what is trained each night, within a second: choices count the less, the more came after them.
func monthRun() *build.Options {
	opt := build.New()
	opt.Train.Model, opt.Train.Settings = "bm25", []string{"decay=0.7"}
	return opt
}

// Month simulates a month of the demo's shop in dir, which is served meanwhile: newcomers ask for lists and buy by their tastes, which the shop does not
// know; each night it retrains. each is called at the end of each of so many days.
func Month(ctx context.Context, dir string, seed uint64, days int, each func(Day)) error {
	ws, err := workspace.Open(dir)
	if err != nil {
		return err
	}
	release, err := ws.Lock()
	if err != nil {
		return err
	}
	made, err := build.Run(ctx, stage.NewSession(ws, nil), monthRun(), false)
	release()
	if err != nil {
		return err
	}
	store, err := sqlite.Open(ctx, filepath.Join(dir, "live.db"))
	if err != nil {
		return err
	}
	defer store.Close() //nolint:errcheck // what was acknowledged is durable
	if event, _, err := store.Last(ctx); err != nil || event > 0 {
		return cmp.Or(err, usererr.New("Give another folder, or remove this one.", "%s holds %d events already: a simulated month begins on a day of which nothing is known", dir, event))
	}
	if _, err := store.Serve(ctx, live.ServingState{Run: made.Run.ID, Why: "the first day of a simulated month"}, live.AnyVersion); err != nil {
		return err
	}
	front, err := shopfront.Open(ctx, store, "", shopfront.Options{Dir: dir, Locate: func(run string) (string, string, error) { return retraining.Locate(dir, run) }})
	if err != nil {
		return err
	}
	defer front.Close()
	m := &month{ctx: ctx, dir: dir, crowd: shop.NewCrowd(seed, newcomers), front: front, store: store, has: make([]map[string]bool, newcomers), rng: rand.New(rand.NewPCG(seed, 8_000_000))}
	for u := range m.has {
		m.has[u] = map[string]bool{}
	}
	for day := 1; day <= days; day++ {
		d, err := m.day(day)
		if err != nil {
			return fmt.Errorf("day %d: %w", day, err)
		}
		each(d)
	}
	return nil
}

type month struct {
	ctx   context.Context //nolint:containedctx // of one call of Month
	dir   string
	crowd *shop.Crowd
	front *shopfront.Shop
	store *live.Store
	has   []map[string]bool // what each bought
	rng   *rand.Rand
}

// begins is the first day: after all that the demo's shoppers bought.
var begins = time.Date(2026, 1, 2, 9, 0, 0, 0, time.UTC)

func (m *month) day(day int) (Day, error) {
	if day == ChangeDay {
		for u := 0; u < newcomers; u += 2 {
			m.crowd.Change(u)
		}
	}
	d := Day{Day: day, Run: m.front.Arms()[0].Run}
	popular, err := m.front.Recommend(m.ctx, shopfront.Query{User: "nobody-in-particular", K: shown})
	if shopfront.Unknown(err) {
		if _, err = m.front.AddUsers(m.ctx, []string{"nobody-in-particular"}); err == nil {
			popular, err = m.front.Recommend(m.ctx, shopfront.Query{User: "nobody-in-particular", K: shown})
		}
	}
	if err != nil {
		return d, err
	}
	var events []live.Event
	for u := range newcomers {
		list, err := m.list(u, popular)
		if err != nil {
			return d, err
		}
		best := m.crowd.Best(u, suits, m.has[u])
		good := func(ids []string) float64 {
			n := 0
			for _, id := range ids {
				if best[id] {
					n++
				}
			}
			return float64(n)
		}
		if u%2 == 0 {
			d.Changed += good(list) / (newcomers / 2)
		} else {
			d.Kept += good(list) / (newcomers / 2)
		}
		d.Popular += good(ids(popular)) / newcomers
		if m.rng.Float64() < 0.5 { // half of them buy on a day, half of these from the list
			continue
		}
		among := list
		if m.rng.Float64() < 0.5 {
			among = nil
		}
		item := m.crowd.Choose(u, among, m.has[u])
		m.has[u][item] = true
		at := begins.Add(time.Duration(day-1)*24*time.Hour + time.Duration(len(events))*time.Minute)
		events = append(events, live.Event{Key: fmt.Sprintf("month/%d/%d", day, u), User: m.crowd.ID(u), Item: item, Type: live.Purchase, Time: at})
	}
	if _, err := m.front.Feedback(m.ctx, events); err != nil {
		return d, err
	}
	d.Purchases = len(events)
	return d, m.night(&d)
}

// list is what a newcomer is shown.
func (m *month) list(u int, popular *shopfront.Answer) ([]string, error) {
	a, err := m.front.Recommend(m.ctx, shopfront.Query{User: m.crowd.ID(u), K: shown})
	if shopfront.Unknown(err) { // who never bought anything
		return ids(popular), nil
	}
	if err != nil {
		return nil, err
	}
	return ids(a), nil
}

func ids(a *shopfront.Answer) (all []string) {
	for _, h := range a.Hits {
		all = append(all, h.Item.ID)
	}
	return all
}

// night retrains, and the shop follows.
func (m *month) night(d *Day) error {
	out, err := retraining.Run(m.ctx, retraining.Options{Shop: m.dir, Store: m.store, Build: monthRun(), Weights: shopfront.DefaultWeights()})
	if err != nil {
		return err
	}
	d.Swapped, d.Why = out.Swapped, out.Why
	return m.front.CatchUp(m.ctx)
}
