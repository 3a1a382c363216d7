package experiment

import (
	"path/filepath"
	"slices"

	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/significance"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const (
	resamples     = 2000 // of the bootstrap
	bootstrapSeed = 1
)

// summarise makes rows of the trials and compares them.
func (x *Experiment) summarise(contenders []*contender) error {
	for _, c := range contenders {
		row, ok := x.row(c)
		if !ok {
			continue
		}
		x.result.Rows = append(x.result.Rows, row)
	}
	if len(x.result.Rows) == 0 {
		return usererr.New("See why above; the same command tries again.", "no trial has ended")
	}
	for _, t := range x.trials { // sums in any order, of what is for people to read
		x.result.Cost.Trials++
		x.result.Cost.Seconds += t.Cost.TrainSeconds + t.Cost.EvalSeconds
	}
	for n, d := range x.data {
		contrasts, err := x.contrasts(d.name)
		if err != nil {
			return err
		}
		x.result.Contrasts = append(x.result.Contrasts, contrasts...)
		for _, row := range x.result.Rows {
			if t := x.trials[row.Trials[0]]; row.Data == d.name && t != nil {
				x.result.Data[n].TestUsers = t.TestUsers
			}
		}
	}
	return nil
}

// row sums a contender's chosen trials up, over the seeds that ended; false where none did.
func (x *Experiment) row(c *contender) (row result.Row, ok bool) {
	best, ok := x.choose(c)
	if !ok {
		return row, false
	}
	row = result.Row{Data: c.data.name, Entry: c.entry.Name(), Model: c.entry.Model, Floor: c.entry.Floor, Chosen: best.chosen, Searched: len(c.points), Point: c.entry.Point,
		Valid: map[string]result.Spread{}, Test: map[string]result.Spread{}}
	var seeds []*result.Trial
	for _, seed := range x.Plan.Seeds {
		if t := x.trials[identify(c.data.session.WS, best.order, seed).ID]; t != nil && !slices.Contains(seeds, t) { // of a model that draws nothing all seeds are one trial
			seeds = append(seeds, t)
		}
	}
	first := seeds[0]
	row.Leaky, row.Slices, row.Curve, row.Found = first.Leaky, first.Slices, first.Curve, first.Found
	for _, t := range seeds {
		row.Trials = append(row.Trials, t.ID)
		n := float64(len(seeds))
		row.Cost.TrainSeconds += t.Cost.TrainSeconds / n
		row.Cost.EpochSeconds += t.Cost.EpochSeconds / n
		row.Cost.EvalSeconds += t.Cost.EvalSeconds / n
		row.Cost.Epochs += t.Cost.Epochs / n
		row.Cost.MemoryBytes = max(row.Cost.MemoryBytes, t.Cost.MemoryBytes)
	}
	spread := func(of func(*result.Trial) map[string]float64, into map[string]result.Spread) {
		for key := range of(first) {
			var values []float64
			for _, t := range seeds {
				values = append(values, of(t)[key])
			}
			into[key] = result.SpreadOf(values)
		}
	}
	spread(func(t *result.Trial) map[string]float64 { return t.Valid }, row.Valid)
	spread(func(t *result.Trial) map[string]float64 { return t.Test }, row.Test)
	return row, true
}

// contrasts compares the entry that validation puts first with every other, on test.
func (x *Experiment) contrasts(data string) (all []result.Contrast, err error) {
	var rows []result.Row
	for _, r := range x.result.Rows {
		if r.Data == data {
			rows = append(rows, r)
		}
	}
	if len(rows) < 2 {
		return nil, nil
	}
	// Test metrics have no say in who is compared with whom.
	slices.SortStableFunc(rows, func(a, b result.Row) int {
		va, vb := a.Valid[x.Plan.Select].Mean, b.Valid[x.Plan.Select].Mean
		switch {
		case va > vb:
			return -1
		case va < vb:
			return 1
		}
		return 0
	})
	winner, err := x.users(rows[0])
	if err != nil {
		return nil, err
	}
	for k, metric := range result.Metrics() {
		begin := len(all)
		for _, other := range rows[1:] {
			users, err := x.users(other)
			if err != nil {
				return nil, err
			}
			c, err := contrast(winner, users, k)
			if err != nil {
				return nil, err
			}
			c.Data, c.Winner, c.Other, c.Metric = data, rows[0].Entry, other.Entry, metric
			all = append(all, c)
		}
		var p []float64
		for _, c := range all[begin:] {
			p = append(p, c.TP)
		}
		for n, adjusted := range significance.Holm(p) {
			all[begin+n].Holm = adjusted
		}
	}
	return all, nil
}

// contrast compares two entries in one column of their users' metrics.
func contrast(a, b *people, column int) (c result.Contrast, err error) {
	if !slices.Equal(a.users, b.users) {
		return c, usererr.New("Remove the trials of one of them and run the experiment again.", "%s and %s measured different users", a.entry, b.entry)
	}
	d, err := significance.Differences(a.values[column], b.values[column])
	if err != nil {
		return c, err
	}
	c.Users = len(d)
	tied := 0
	for _, v := range d {
		if v == 0 {
			tied++
		}
	}
	c.Tied = float64(tied) / float64(len(d))
	c.Interval = significance.Bootstrap(d, resamples, bootstrapSeed)
	c.Smallest = significance.Smallest(d)
	c.T, c.TP = significance.PairedT(d)
	_, c.Wilcoxon = significance.SignedRank(d, significance.Wilcoxon)
	_, c.Pratt = significance.SignedRank(d, significance.Pratt)
	return c, nil
}

// people are the test users of a row, with their metrics in the order of [result.Metrics].
type people struct {
	entry  string
	users  []float32
	values [][]float64
}

// users returns the users' metrics of a row, each the mean over its seeds. Sums are taken in float64, where those of a few
// stored numbers are exact: whom two entries serve alike, under whatever seeds, is tied to the last bit, and
// tests that treat ties apart see one.
func (x *Experiment) users(row result.Row) (*people, error) {
	p := &people{entry: row.Entry, values: make([][]float64, len(result.Metrics()))}
	for n, id := range row.Trials {
		m, err := arrayfile.ReadNPY(filepath.Join(x.folder(id), result.UsersFile))
		if err != nil {
			return nil, err
		}
		if m.Cols != 1+len(p.values) {
			return nil, usererr.New("Remove the folder of the trial and run the experiment again.", "trial %s has %d columns of users, want %d", id, m.Cols, 1+len(p.values))
		}
		users := make([]float32, m.Rows)
		for j := range users {
			users[j] = m.Row(j)[0]
		}
		if n == 0 {
			p.users = users
			for k := range p.values {
				p.values[k] = make([]float64, m.Rows)
			}
		} else if !slices.Equal(users, p.users) {
			return nil, usererr.New("Remove the folder of the trial and run the experiment again.", "trial %s measured other users than its fellows", id)
		}
		for k := range p.values {
			for j := range users {
				p.values[k][j] += float64(m.Row(j)[k+1])
			}
		}
	}
	for _, column := range p.values {
		for j := range column {
			column[j] /= float64(len(row.Trials))
		}
	}
	return p, nil
}
