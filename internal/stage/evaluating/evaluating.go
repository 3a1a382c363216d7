// Package evaluating is the stage that measures a run by full ranking, with rankings that
// need no learning beside it.
package evaluating

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/model"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Evaluation is what a run is worth.
type Evaluation struct {
	Run        string             `json:"run"`
	Model      string             `json:"model"`
	Provenance string             `json:"provenance"`
	Leaky      bool               `json:"leaky"`
	Warning    string             `json:"warning,omitempty"`
	Test       map[string]float64 `json:"test"`
	Valid      map[string]float64 `json:"valid"`
	Baselines  []Baseline         `json:"baselines"`
	Slices     []eval.Slice       `json:"slices"`
}

// Baseline is a ranking that needs no learning, beside the run's.
type Baseline struct {
	Name  string             `json:"name"`
	Test  map[string]float64 `json:"test"`
	Valid map[string]float64 `json:"valid"`
}

const randomSeed = 1 // of the random baseline; any will do

// Stage measures one run.
type Stage struct {
	Fitted bool // the run is of a model that is fitted: see [training.Fits]
}

// Name implements stage.Stage.
func (Stage) Name() string { return workspace.StageEvaluate }

// Makes implements stage.Stage.
func (Stage) Makes() workspace.Kind { return workspace.KindEvaluation }

// Needs implements stage.Stage.
func (e Stage) Needs() []stage.Need {
	files := []string{workspace.RunUsersFile, workspace.RunItemsFile}
	if e.Fitted {
		files = []string{workspace.RunModelFile}
	}
	return []stage.Need{
		{Kind: workspace.KindData, Files: []string{workspace.InteractionsFile}},
		{Kind: workspace.KindRun, Files: files},
	}
}

// Settle implements stage.Stage.
func (Stage) Settle(_ context.Context, _ *stage.Session, in stage.Inputs) (stage.Spec, error) {
	id := path.Base(in.Address(workspace.KindRun))
	return stage.Spec{Name: workspace.Slug(id), Options: map[string]string{"run": id}}, nil
}

// Build implements stage.Stage.
func (Stage) Build(ctx context.Context, b *stage.Build) error {
	ev, err := Measure(ctx, b.Session, path.Base(b.Inputs.Address(workspace.KindRun)))
	if err != nil {
		return err
	}
	err = atomicfile.Write(b.Path(workspace.EvaluationFile), func(w io.Writer) error {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(ev)
	})
	if err != nil {
		return err
	}
	b.Info = map[string]any{"run": ev.Run}
	b.Done("%s: test R@20 %.4f, N@20 %.4f", ev.Run, ev.Test["recall@20"], ev.Test["ndcg@20"])
	return nil
}

// Load reads the evaluation under an address.
func Load(ws *workspace.Workspace, address string) (*Evaluation, error) {
	raw, err := ws.ReadFile(address, workspace.EvaluationFile)
	if err != nil {
		return nil, err
	}
	var ev Evaluation
	if err := json.Unmarshal(raw, &ev); err != nil {
		return nil, usererr.WrapAs(usererr.KindDamaged, fmt.Errorf("read %s: %w", address, err), "Evaluate the run again.")
	}
	return &ev, nil
}

// Measure ranks the whole catalogue by a run's stored vectors ("": those of the current
// run) and compares with rankings that need no learning. Nothing is stored.
func Measure(ctx context.Context, s *stage.Session, runID string) (*Evaluation, error) {
	run, address, err := training.Find(s.WS, runID)
	if err != nil {
		return nil, err
	}
	scorer, err := scorerOf(s, run, address)
	if err != nil {
		return nil, err
	}
	judge, err := s.Judge()
	if err != nil {
		return nil, err
	}
	ev := &Evaluation{Run: run.ID, Model: run.Model, Provenance: run.Provenance, Leaky: run.Leaky, Warning: run.Warning}
	baselines, err := baselines(s, address)
	if err != nil {
		return nil, err
	}
	own := eval.Contender{Name: "run " + run.ID, Scorer: scorer}
	judged, err := judge.Rank(ctx, append([]eval.Contender{own}, baselines...)...)
	if err != nil {
		return nil, fmt.Errorf("evaluate %w", err)
	}
	ev.Valid, ev.Test, ev.Slices = judged[0].Metrics(dataset.Valid), judged[0].Metrics(dataset.Test), judged[0].Slices()
	for n, b := range baselines {
		ev.Baselines = append(ev.Baselines, Baseline{Name: b.Name, Test: judged[n+1].Metrics(dataset.Test), Valid: judged[n+1].Metrics(dataset.Valid)})
	}
	return ev, nil
}

// Judged ranks the whole catalogue by a run ("": the current one) for all users who have
// something held out. Nothing is stored.
func Judged(ctx context.Context, s *stage.Session, runID string) (*eval.Judged, error) {
	run, address, err := training.Find(s.WS, runID)
	if err != nil {
		return nil, err
	}
	scorer, err := scorerOf(s, run, address)
	if err != nil {
		return nil, err
	}
	judge, err := s.Judge()
	if err != nil {
		return nil, err
	}
	judged, err := judge.Rank(ctx, eval.Contender{Name: "run " + run.ID, Scorer: scorer})
	if err != nil {
		return nil, fmt.Errorf("evaluate %w", err)
	}
	return judged[0], nil
}

// fittedRun finds a run ("": the current one) of a model that is fitted, with what scores by it.
// hint is for a run of another.
func fittedRun(s *stage.Session, runID, hint string) (*training.Run, *model.UserScorer, error) {
	run, address, err := training.Find(s.WS, runID)
	if err != nil {
		return nil, nil, err
	}
	if !training.Fits(run.Model) {
		return nil, nil, usererr.New(hint, "run %s of model %s has no views: it is trained to vectors of its users", run.ID, run.Model)
	}
	scorer, err := training.Scorer(s, run, address)
	return run, scorer, err
}

// scorerOf returns what ranks as a run does.
func scorerOf(s *stage.Session, run *training.Run, address string) (eval.Scorer, error) {
	if training.Fits(run.Model) {
		return training.Scorer(s, run, address)
	}
	users, err := s.Matrix(address, workspace.RunUsersFile)
	if err != nil {
		return nil, err
	}
	items, err := s.Matrix(address, workspace.RunItemsFile)
	if err != nil {
		return nil, err
	}
	return eval.DotScorer(users, items), nil
}

// baselines are the rankings that need no training: popularity, random, and, of a run
// that was made from text vectors, their plain dot product, which a trained model must
// beat to be worth it.
func baselines(s *stage.Session, run string) ([]eval.Contender, error) {
	ds, err := s.Dataset()
	if err != nil {
		return nil, err
	}
	list := []eval.Contender{
		{Name: "popularity", Scorer: eval.Popularity(ds.TrainHistories())},
		{Name: "random", Scorer: eval.Random(randomSeed, ds.Users(), ds.NumItems())},
	}
	a, _ := s.WS.Artefact(run)
	itemsAt, usersAt := a.Inputs[workspace.KindItemVectors].Address, a.Inputs[workspace.KindUserVectors].Address
	if itemsAt == "" || usersAt == "" {
		return list, nil
	}
	items, err := s.Matrix(itemsAt, workspace.ItemVectorsFile)
	if err != nil {
		return nil, err
	}
	users, err := s.Matrix(usersAt, workspace.UserVectorsFile)
	if err != nil {
		return nil, err
	}
	if items.Cols == users.Cols {
		list = append(list, eval.Contender{Name: "untrained vectors", Scorer: eval.DotScorer(users, items)})
	}
	return list, nil
}
