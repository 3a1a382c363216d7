package eval

import (
	"context"
	"fmt"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/heldout"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Judge measures recommendations by the held-out interactions of one data set. It holds
// the lists that every measurement needs, so a process builds one for a data set and
// hands it to whoever trains, evaluates or compares; they see numbers, no labels. Rankings
// go over the whole catalogue with train items masked, to the largest default cutoff. It
// is safe for concurrent use and does not follow when the data set changes later.
type Judge struct {
	splitName string // "random", "leave-latest", …
	splitHash string
	train     *dataset.Lists
	held      map[dataset.Label]*dataset.Lists // validation and test items, each list ascending
	users     map[dataset.Label][]int32        // users with held-out items of the label, ascending
	later     *dataset.Lists                   // validation and test items together, in time order
	options   Options
}

// maxCutoff is the depth to which every ranking is kept.
var maxCutoff = slices.Max(DefaultCutoffs)

// NewJudge collects the train and held-out interactions of a data set.
func NewJudge(ds *dataset.Dataset) *Judge {
	j := &Judge{splitName: ds.Split, splitHash: ds.SplitHash(), train: ds.TrainHistories().Lists(), later: heldout.InOrder(ds),
		held: map[dataset.Label]*dataset.Lists{}, users: map[dataset.Label][]int32{}}
	j.options = Options{}.WithTrain(j.train)
	for _, label := range []dataset.Label{dataset.Valid, dataset.Test} {
		lists := heldout.Lists(ds, label)
		j.held[label] = lists
		for u := range lists.Len() {
			if len(lists.Of(u)) > 0 {
				j.users[label] = append(j.users[label], int32(u))
			}
		}
	}
	return j
}

// HasValidation reports whether any interaction is labelled validation.
func (j *Judge) HasValidation() bool { return len(j.users[dataset.Valid]) > 0 }

// CheckTraining refuses to judge a training run on histories of another split, or by a
// split from which no epoch could be chosen.
func (j *Judge) CheckTraining(train *dataset.Histories) error {
	if train.SplitHash() != j.splitHash {
		return fmt.Errorf("training: the histories were cut from another split than the data set's")
	}
	if !j.HasValidation() {
		return usererr.New("Import again with a split that holds out validation interactions.",
			"no interaction is labelled validation, so no epoch can be chosen (split %q)", j.splitName)
	}
	return nil
}

// Measure ranks by user and item vectors for the users with held-out items of one label
// (Valid or Test) and returns the accuracy metrics; for a label without interactions it
// returns nil. It is the cheap measurement of each training epoch.
func (j *Judge) Measure(ctx context.Context, users, items *tensor.Matrix, label dataset.Label) (map[string]float64, error) {
	if len(j.users[label]) == 0 {
		return nil, nil
	}
	r, err := Rank(ctx, DotScorer(users, items), j.train, j.users[label], maxCutoff)
	if err != nil {
		return nil, err
	}
	return PerUser(r, j.held[label], Options{}).Means(), nil
}

// MeasureScorer is Measure for a scorer of all users.
func (j *Judge) MeasureScorer(ctx context.Context, s Scorer, label dataset.Label) (map[string]float64, error) {
	if len(j.users[label]) == 0 {
		return nil, nil
	}
	r, err := Rank(ctx, s, j.train, j.users[label], maxCutoff)
	if err != nil {
		return nil, err
	}
	return PerUser(r, j.held[label], Options{}).Means(), nil
}

// Sampled returns the accuracy metrics of each of at most n users with held-out items of a label, at
// equal distances, for comparisons user by user: those of equal n are of the same users.
func (j *Judge) Sampled(ctx context.Context, s Scorer, label dataset.Label, n int) (*UserMetrics, error) {
	users := j.users[label]
	if len(users) > n {
		some := make([]int32, n)
		for i := range some {
			some[i] = users[i*len(users)/n]
		}
		users = some
	}
	r, err := Rank(ctx, s, j.train, users, maxCutoff)
	if err != nil {
		return nil, err
	}
	return PerUser(r, j.held[label], Options{}), nil
}

// Among returns the accuracy metrics of those of the users given who have held-out items of a label
// that only accepts, by these items alone; only may be nil. Users without such items are left out.
func (j *Judge) Among(ctx context.Context, s Scorer, label dataset.Label, users []int32, only func(item int32) bool) (*UserMetrics, error) {
	held := j.held[label]
	if only != nil {
		some := &dataset.Lists{Offsets: make([]int, 1, held.Len()+1), Columns: held.Columns}
		for u := range held.Len() {
			for _, i := range held.Of(u) {
				if only(i) {
					some.Items = append(some.Items, i)
				}
			}
			some.Offsets = append(some.Offsets, len(some.Items))
		}
		held = some
	}
	var asked []int32
	for _, u := range users {
		if len(held.Of(int(u))) > 0 {
			asked = append(asked, u)
		}
	}
	if len(asked) == 0 {
		return &UserMetrics{}, nil
	}
	r, err := Rank(ctx, s, j.train, asked, maxCutoff)
	if err != nil {
		return nil, err
	}
	return PerUser(r, held, Options{}), nil
}

// Validation measures ranked lists on validation interactions: it is handed to what chooses
// among settings, and tells numbers, no labels.
type Validation struct{ judge *Judge }

// Validation returns what measures lists on the validation interactions.
func (j *Judge) Validation() Validation { return Validation{j} }

// Users returns the rows of the users with validation interactions, ascending. The slice must
// not be modified.
func (v Validation) Users() []int32 { return v.judge.users[dataset.Valid] }

// Measure returns the metrics of ranked lists of items, the best first, without the users'
// train items: one list for each of the users given.
func (v Validation) Measure(users []int32, lists [][]int32) (map[string]float64, error) {
	if len(users) != len(lists) {
		return nil, fmt.Errorf("measure lists: %d users and %d lists", len(users), len(lists))
	}
	r := &Ranking{Users: users, K: maxCutoff, Catalog: v.judge.train.Columns, Items: make([]int32, len(users)*maxCutoff), Counts: make([]int32, len(users))}
	for n, list := range lists {
		r.Counts[n] = int32(copy(r.Items[n*maxCutoff:(n+1)*maxCutoff], list))
	}
	return PerUser(r, v.judge.held[dataset.Valid], Options{}).Means(), nil
}

// Rank ranks by scorers for all users, in one pass. Everything that is to be known of a
// scorer can be read from its one result.
func (j *Judge) Rank(ctx context.Context, contenders ...Contender) ([]*Judged, error) {
	rankings, err := RankAll(ctx, contenders, j.train, maxCutoff)
	if err != nil {
		return nil, err
	}
	judged := make([]*Judged, len(rankings))
	for n, r := range rankings {
		judged[n] = &Judged{Ranking: r, judge: j}
	}
	return judged, nil
}

// HeldOutItems returns the validation and test items of a user in time order: for pages
// that show what somebody chose later, never for learning. The slice must not be modified.
func (j *Judge) HeldOutItems(user int) []int32 { return j.later.Of(user) }

// Judged is a ranking for all users with the judge who can measure it.
type Judged struct {
	Ranking *Ranking
	judge   *Judge
}

// Metrics returns the metrics on one label, Valid or Test: see [Metrics].
func (d *Judged) Metrics(label dataset.Label) map[string]float64 {
	return Metrics(d.Ranking, d.judge.held[label], d.judge.options).Values
}

// PerUser returns the accuracy metrics of each user with held-out items of one label,
// Valid or Test, for comparisons user by user.
func (d *Judged) PerUser(label dataset.Label) *UserMetrics {
	return PerUser(d.Ranking, d.judge.held[label], d.judge.options)
}

// Slices cuts the evaluation on test items by history length and popularity: see [Slices].
func (d *Judged) Slices() []Slice {
	return Slices(d.Ranking, d.judge.held[dataset.Test], d.judge.train, d.judge.options)
}
