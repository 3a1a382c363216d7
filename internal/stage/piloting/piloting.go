// Package piloting estimates what a language model's preference texts of all users would be worth
// from the texts of a few: before tens of thousands of answers are paid for.
//
// The sample is of users with validation interactions. Their texts become the view preference of a
// hybrid run, beside views that stay as they are. The weight of the view is chosen on one half of the
// sample and measured on the other, and the other way round, so that choosing it does not flatter it.
package piloting

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/significance"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/encoding"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// MinUsers is the smallest sample: a half of it chooses the weight.
const MinUsers = 20

const (
	metric    = "recall@20"
	resamples = 4000 // of the bootstrap
	seed      = 1
)

// weights are tried for the view.
var weights = []float32{0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.4}

// Pilot is what a sample of preference texts is worth.
type Pilot struct {
	Run      string           `json:"run"`
	By       string           `json:"by"`                   // who wrote the texts
	Users    int              `json:"users"`                // asked about
	Answered int              `json:"answered"`             // with a usable text
	Known    int              `json:"known"`                // users of the data set
	Without  float64          `json:"without"`              // validation R@20 of the sample, without any preference text
	Texts    Worth            `json:"texts"`                // those of the model
	Rules    *Worth           `json:"rules"`                // those that plain rules write for nothing; nil where they were the model
	Over     *eval.Comparison `json:"over_rules,omitempty"` // the model's texts against those of the rules

	PromptTokens int64   `json:"prompt_tokens"` // of the answers that were not there before
	AnswerTokens int64   `json:"answer_tokens"`
	Seconds      float64 `json:"seconds"`
	New          int     `json:"new"` // answers that were not there before
}

// Worth is what texts add to a run.
type Worth struct {
	Gain     eval.Comparison `json:"gain"`     // R@20 with the texts less that without
	Weights  [2]float32      `json:"weights"`  // of the view, as each half of the sample chose it for the other
	Smallest float64         `json:"smallest"` // true gain that a sample of this size finds four times in five
}

// UsersFor returns how many users a pilot needs to find a true gain four times in five, from what
// this one found of how gains differ between users; 0 where it found no difference at all.
func (w Worth) UsersFor(gain float64) int {
	if w.Smallest == 0 || gain <= 0 {
		return 0
	}
	return int(math.Ceil(float64(w.Gain.Users) * math.Pow(w.Smallest/gain, 2)))
}

// Run asks about n users and measures what their texts are worth to a run of model hybrid ("": the
// current one).
func Run(ctx context.Context, s *stage.Session, opt reasoning.Options, runID string, n int) (*Pilot, error) {
	if err := check(opt, n); err != nil {
		return nil, err
	}
	run, address, err := training.Find(s.WS, runID)
	if err != nil {
		return nil, err
	}
	m, err := newMeasure(s, run, address)
	if err != nil {
		return nil, err
	}
	users, err := m.sample(n)
	if err != nil {
		return nil, err
	}
	written, err := reasoning.Write(ctx, s, opt, users)
	if err != nil {
		return nil, err
	}
	p := &Pilot{Run: run.ID, By: written.By, Users: len(users), Known: m.known.Train.Users(), New: written.Report.Answered,
		PromptTokens: written.Report.PromptTokens, AnswerTokens: written.Report.AnswerTokens, Seconds: written.Report.Seconds}
	answered := m.answered(users, written)
	if p.Answered = len(answered); p.Answered < MinUsers {
		return nil, usererr.New("Ask about more users, or go on with those that were not asked.", "only %d of %d users have a usable text; a pilot needs %d", p.Answered, len(users), MinUsers)
	}
	without, err := m.judge.Among(ctx, m.scorer(m.bare, nil), dataset.Valid, answered, nil)
	if err != nil {
		return nil, err
	}
	p.Without = without.Means()[metric]
	with, worth, err := m.worth(ctx, users, answered, written.Texts, without)
	if err != nil {
		return nil, err
	}
	p.Texts = worth
	if written.Rules == nil {
		return p, nil
	}
	plain, rules, err := m.worth(ctx, users, answered, written.Rules, without)
	if err != nil {
		return nil, err
	}
	over, err := eval.Compare(with, plain, metric, resamples, seed)
	p.Rules, p.Over = &rules, &over
	return p, err
}

func check(opt reasoning.Options, n int) error {
	switch {
	case n < MinUsers:
		return usererr.New(fmt.Sprintf("Give at least %d.", MinUsers), "%s %d: too few users to learn anything from", usererr.Option("sample-users"), n)
	case dataset.Scope(opt.Preference.History) == dataset.ScopeAll:
		return usererr.New("Leave it out: a pilot reads train interactions only.", "%s all would show the model the answers that it is measured by", usererr.Option("history"))
	case opt.Preference.Folds > 0:
		return usererr.New("Leave it out.", "%s has no effect on a pilot, which trains nothing", usererr.Option("folds"))
	}
	return nil
}

// measure holds what texts are measured with.
type measure struct {
	s       *stage.Session
	judge   *eval.Judge
	known   *model.UserScorer
	sayable model.Sayable
	bare    model.Ranker   // without preference texts
	items   *tensor.Matrix // vectors of the items' texts
	encoder string         // address of vectors of the encoder that reads the texts
	ids     []string       // of the users
}

func newMeasure(s *stage.Session, run *training.Run, address string) (*measure, error) {
	const hint = "Train hybrid first, whose texts may be written by plain rules for nothing, and name its run."
	if !training.Fits(run.Model) {
		return nil, usererr.New(hint, "run %s of model %s has no views to add preference texts to", run.ID, run.Model)
	}
	scorer, err := training.Scorer(s, run, address)
	if err != nil {
		return nil, err
	}
	sayable, ok := scorer.Ranker.(model.Sayable)
	if !ok {
		return nil, usererr.New(hint, "run %s of model %s has no views to add preference texts to", run.ID, run.Model)
	}
	vectors := run.From[workspace.KindItemVectors]
	if vectors == "" {
		return nil, usererr.New("Train hybrid on a data set with titles, pictures or other words.", "run %s reads no item texts: there is nothing to compare preference texts with", run.ID)
	}
	m := &measure{s: s, known: scorer, sayable: sayable, bare: sayable.WithPreferences(tensor.New(scorer.Items(), 1), 0), encoder: run.From[workspace.KindUserVectors]}
	if m.encoder == "" {
		return nil, usererr.New("Train hybrid with preferences by plain rules first: that settles the encoder.", "run %s has no preference vectors, so that no encoder of preferences is known", run.ID)
	}
	if m.items, err = s.Matrix(vectors, workspace.ItemVectorsFile); err != nil {
		return nil, err
	}
	if m.judge, err = s.Judge(); err != nil {
		return nil, err
	}
	ds, err := s.Dataset()
	if err != nil {
		return nil, err
	}
	m.ids = ds.UserIDs
	return m, nil
}

// sample draws n users with validation interactions and a history, by a hash of their ids: a larger
// sample holds the smaller one, whose answers are there already.
func (m *measure) sample(n int) ([]int32, error) {
	users := slices.Clone(m.judge.Validation().Users())
	users = slices.DeleteFunc(users, func(u int32) bool { return len(m.known.Train.Items(int(u))) == 0 })
	digest := func(u int32) []byte {
		sum := sha256.Sum256([]byte("pilot " + m.ids[u]))
		return sum[:]
	}
	slices.SortFunc(users, func(a, b int32) int { return bytes.Compare(digest(a), digest(b)) })
	if len(users) < n {
		return nil, usererr.New("Ask about fewer.", "%s %d: only %d users have both a history and validation interactions", usererr.Option("sample-users"), n, len(users))
	}
	return users[:n], nil
}

// answered are the users with a usable text of their own, in the order of the sample.
func (m *measure) answered(users []int32, written *reasoning.Some) (some []int32) {
	for n, u := range users {
		if written.Texts[n] != "" {
			some = append(some, u)
		}
	}
	return some
}

func (m *measure) scorer(r model.Ranker, preferences *tensor.Matrix) *model.UserScorer {
	return &model.UserScorer{Ranker: r, Train: m.known.Train, Preferences: preferences}
}

// worth measures texts, one for each of users, by those of them who are asked.
func (m *measure) worth(ctx context.Context, users, asked []int32, texts []string, without *eval.UserMetrics) (*eval.UserMetrics, Worth, error) {
	vectors, err := encoding.Encode(ctx, m.s, m.encoder, texts)
	if err != nil {
		return nil, Worth{}, err
	}
	if vectors.Cols != m.items.Cols {
		return nil, Worth{}, usererr.New("Encode items and preferences by one encoder, and train again.", "vectors of texts are %d wide, those of items %d", vectors.Cols, m.items.Cols)
	}
	preferences := tensor.New(m.known.Train.Users(), vectors.Cols)
	for n, u := range users {
		copy(preferences.Row(int(u)), vectors.Row(n))
	}
	tried := make([]*eval.UserMetrics, len(weights))
	for n, w := range weights {
		m.s.Emit(stage.Event{Stage: workspace.StageEvaluate, Message: fmt.Sprintf("weight %g of the texts", w), Done: n, Total: len(weights), Left: -1})
		if tried[n], err = m.judge.Among(ctx, m.scorer(m.sayable.WithPreferences(m.items, w), preferences), dataset.Valid, asked, nil); err != nil {
			return nil, Worth{}, err
		}
	}
	with, chosen := crossed(tried)
	gain, err := eval.Compare(with, without, metric, resamples, seed)
	if err != nil {
		return nil, Worth{}, err
	}
	d, err := significance.Differences(with.Of(metric), without.Of(metric))
	if err != nil {
		return nil, Worth{}, err
	}
	worth := Worth{Gain: gain, Smallest: significance.Smallest(d)}
	for half, n := range chosen {
		worth.Weights[half] = weights[n]
	}
	return with, worth, nil
}

// crossed puts metrics together in which each half of the users is measured with the weight that
// the other half chose; chosen is the choice for each half.
func crossed(tried []*eval.UserMetrics) (with *eval.UserMetrics, chosen [2]int) {
	recall, ndcg := make([][]float64, len(tried)), make([][]float64, len(tried))
	for n, t := range tried {
		recall[n], ndcg[n] = t.Of(metric), t.Of("ndcg@20")
	}
	for half := range chosen {
		best := math.Inf(-1)
		for n := range tried {
			var goal float64
			for j := 1 - half; j < len(recall[n]); j += 2 {
				goal += recall[n][j] + ndcg[n][j]
			}
			if goal > best {
				best, chosen[half] = goal, n
			}
		}
	}
	with = &eval.UserMetrics{Rows: tried[0].Rows, Users: tried[0].Users, Keys: tried[0].Keys}
	for k := range with.Keys {
		values := make([]float64, len(with.Users))
		for j := range values {
			values[j] = tried[chosen[j%2]].Values[k][j]
		}
		with.Values = append(with.Values, values)
	}
	return with, chosen
}
