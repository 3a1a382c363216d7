package experiment

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Experiment carries a plan out.
type Experiment struct {
	Plan    *Plan
	Dir     string // of the results; an experiment that was stopped goes on there
	Command string // that makes it, for whoever reads the result
	Jobs    int    // trials at a time; 0: as many as processors
	Memory  int64  // bytes that all trials together may hold; 0: three quarters of the machine's
	// Open opens a workspace of the plan.
	Open func(dir string) (*stage.Session, error)
	// Trial runs the trial in a folder, in a process of its own, within so many processors and bytes.
	Trial func(ctx context.Context, dir string, processors int, memory int64) error
	Note  func(format string, args ...any) // what the user should know
	Show  func(Progress)                   // how far it is; may be nil

	data   []*data
	result result.Result
	trials map[string]*result.Trial // that have ended, by id
	failed map[string]string
}

// Progress is how far an experiment is.
type Progress struct {
	Done, Total int // trials; Total grows where a search is followed by more seeds, which are counted from the start
	Running     []string
	Left        time.Duration // estimated; below 0 where that is unknown
}

func (x *Experiment) note(format string, args ...any) {
	if x.Note != nil {
		x.Note(format, args...)
	}
}

// Run carries the plan out and returns what it shows. An error is of the experiment as a whole; trials that fail are
// listed in the result.
func (x *Experiment) Run(ctx context.Context) (*result.Result, error) {
	release, err := x.lock()
	if err != nil {
		return nil, err
	}
	defer release()
	contenders, err := x.begin(ctx)
	if err != nil {
		return nil, err
	}
	if len(contenders) == 0 {
		return nil, usererr.New("See the reasons above.", "the data allow none of the entries")
	}
	if err := x.search(ctx, contenders); err != nil {
		return nil, err
	}
	if err := x.describeVectors(ctx, contenders); err != nil {
		return nil, err
	}
	if err := x.summarise(contenders); err != nil {
		return nil, err
	}
	return &x.result, result.Write(filepath.Join(x.Dir, result.File), &x.result)
}

// begin opens the data, keeps the plan and prepares.
func (x *Experiment) begin(ctx context.Context) (all []*contender, err error) {
	if err := x.Plan.Check(); err != nil {
		return nil, err
	}
	x.trials, x.failed = map[string]*result.Trial{}, map[string]string{}
	p := x.Plan
	x.result = result.Result{Name: p.Name, Kind: p.Kind, Command: x.Command, Select: p.Select, Protocol: p.Protocol, Seeds: p.Seeds, Finalists: p.Finals}
	if err := x.open(ctx); err != nil {
		return nil, err
	}
	if err := x.keepPlan(); err != nil {
		return nil, err
	}
	for _, d := range x.data {
		own, err := x.prepare(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("prepare %s: %w", d.name, err)
		}
		all = append(all, own...)
		x.result.Data = append(x.result.Data, d.about)
	}
	return all, nil
}

// keepPlan writes the plan, or finds the same one. Another plan in the same folder would mix two experiments up.
func (x *Experiment) keepPlan() error {
	if err := os.MkdirAll(filepath.Join(x.Dir, result.TrialsDir), 0o755); err != nil {
		return err
	}
	var text strings.Builder
	if err := x.Plan.Write(&text); err != nil {
		return err
	}
	path := filepath.Join(x.Dir, result.PlanFile)
	if was, err := os.ReadFile(path); err == nil && string(was) != text.String() {
		return usererr.New("Choose another folder or name, or remove that one. Trials are not lost: a plan with the same trials can be given that folder's trials.",
			"%s holds an experiment of another plan", x.Dir)
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, text.String())
		return err
	})
}

func (x *Experiment) folder(id string) string { return filepath.Join(x.Dir, result.TrialsDir, id) }

// search runs every point of every grid with the first seed, chooses by validation, and runs what was chosen with
// the other seeds. An entry's further seeds begin as soon as its own search has ended; where the plan has finalists,
// as soon as all searches on the data set have.
func (x *Experiment) search(ctx context.Context, contenders []*contender) error {
	q := newQueue(x)
	for _, rivals := range x.rivals(contenders) {
		q.total += x.further(rivals)
		searching := len(rivals)
		for _, c := range rivals {
			q.total += len(c.points)
			left := len(c.points)
			for _, p := range c.points {
				q.add(c, identify(c.data.session.WS, p.order, x.Plan.Seeds[0]), func() {
					if left--; left > 0 {
						return
					}
					if searching--; searching == 0 {
						x.reseed(q, rivals)
					}
				})
			}
		}
	}
	return q.run(ctx)
}

// rivals are the contenders among whom the further seeds are given out: all of a data set where the plan has finalists, else
// each by itself.
func (x *Experiment) rivals(contenders []*contender) (groups [][]*contender) {
	for _, c := range contenders {
		last := len(groups) - 1
		if x.Plan.Finals > 0 && last >= 0 && groups[last][0].data == c.data {
			groups[last] = append(groups[last], c)
			continue
		}
		groups = append(groups, []*contender{c})
	}
	return groups
}

// further is how many trials with further seeds rivals may have. A model that draws nothing by lot has none among finalists.
func (x *Experiment) further(rivals []*contender) int {
	return len(x.finalists(rivals)) * (len(x.Plan.Seeds) - 1)
}

// finalists are those rivals whom the further seeds go to, as far as it is known by now: those whose searches have no result yet
// keep the places that are left.
func (x *Experiment) finalists(rivals []*contender) []*contender {
	if x.Plan.Finals == 0 {
		return rivals
	}
	type standing struct {
		c     *contender
		score float64
	}
	var all []standing
	for _, c := range rivals {
		if model.Seedless(c.entry.Model) {
			continue
		}
		score := math.Inf(-1)
		if best, ok := x.choose(c); ok {
			score = x.trials[identify(c.data.session.WS, best.order, x.Plan.Seeds[0]).ID].Valid[x.Plan.Select]
		}
		all = append(all, standing{c, score})
	}
	slices.SortStableFunc(all, func(a, b standing) int { return cmp.Compare(b.score, a.score) })
	var best []*contender
	for _, s := range all[:min(len(all), x.Plan.Finals)] {
		best = append(best, s.c)
	}
	return best
}

// reseed queues the further seeds of rivals whose searches have ended.
func (x *Experiment) reseed(q *queue, rivals []*contender) {
	q.total -= x.further(rivals)
	for _, c := range x.finalists(rivals) {
		best, ok := x.choose(c)
		if !ok {
			continue
		}
		for _, seed := range x.Plan.Seeds[1:] {
			q.total++
			q.add(c, identify(c.data.session.WS, best.order, seed), func() {})
		}
	}
}

// validated is all that the choice among settings is made from.
type validated struct {
	place int
	score float64
}

// choose returns the point of a contender's grid with the best validation score, the earlier of equals; false where
// none has ended.
func (x *Experiment) choose(c *contender) (point, bool) {
	var scores []validated
	for n, p := range c.points {
		if t := x.trials[identify(c.data.session.WS, p.order, x.Plan.Seeds[0]).ID]; t != nil {
			scores = append(scores, validated{n, t.Valid[x.Plan.Select]})
		}
	}
	if len(scores) == 0 {
		return point{}, false
	}
	best := slices.MaxFunc(scores, func(a, b validated) int {
		switch {
		case a.score < b.score:
			return -1
		case a.score > b.score:
			return 1
		}
		return b.place - a.place // the earlier is the larger
	})
	return c.points[best.place], true
}
