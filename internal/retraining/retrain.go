package retraining

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/answering"
	"github.com/mllmrec/mllmrec/internal/build"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Options of a retraining.
type Options struct {
	Shop    string // folder of the workspace
	Store   *live.Store
	Build   *build.Options
	Weights map[live.EventType]float64
	Worse   bool // swap even to a run that is worse on validation
	Observe stage.Observer
}

// Outcome is what came of it.
type Outcome struct {
	Generation string           `json:"generation"`
	Run        string           `json:"run"` // as the shop names it
	Against    string           `json:"against"`
	Taken      *Taken           `json:"taken"`
	Validation *eval.Comparison `json:"validation,omitempty"` // the new run less the one that is served, on the newest slice
	Swapped    bool             `json:"swapped"`
	Why        string           `json:"why"`
}

// outcomeFile tells people what came of a generation.
const outcomeFile = "retrain.json"

const (
	metric    = "recall@20"
	resamples = 2000
	bootSeed  = 1
)

// Run makes the next generation and swaps to it where validation is not worse. Stopped at any moment, the same call goes on, unless
// more feedback came meanwhile, which makes another generation. Nothing new to learn from is no error: the outcome says so.
func Run(ctx context.Context, o Options) (*Outcome, error) {
	shop, err := workspace.Open(o.Shop)
	if err != nil {
		return nil, err
	}
	serving, err := served(ctx, shop, o.Store)
	if err != nil {
		return nil, err
	}
	base, err := shop.Dataset()
	if err != nil {
		return nil, err
	}
	ds, taken, err := Gather(ctx, base, o.Store, o.Weights)
	if err != nil {
		return nil, err
	}
	out := &Outcome{Generation: prefix + strconv.FormatInt(taken.Events, 10), Against: serving, Taken: taken}
	if taken.Interactions+taken.Items+taken.Changed == 0 {
		out.Generation, out.Why = "", "nothing happened that a run could learn from"
		return out, nil
	}
	if err := inside(o.Shop, out.Generation); err != nil {
		return nil, err
	}
	dir := filepath.Join(o.Shop, Folder, out.Generation)
	ws, err := o.lay(ctx, shop, ds, dir)
	if err != nil {
		return nil, err
	}
	release, err := ws.Lock()
	if err != nil {
		return nil, err
	}
	defer release()
	session := stage.NewSession(ws, o.Observe)
	made, err := build.Run(ctx, session, o.Build, false)
	if err != nil {
		return nil, err
	}
	if out.Run = Name(out.Generation, made.Run.ID); out.Run == serving {
		out.Why = "it is served already"
		return out, nil
	}
	if err := o.judge(ctx, session, made.Run.ID, out); err != nil {
		return nil, err
	}
	if err := o.decide(ctx, out); err != nil {
		return nil, err
	}
	return out, write(filepath.Join(dir, outcomeFile), out)
}

// served is the run that is served: the recorded one, else the last.
func served(ctx context.Context, shop *workspace.Workspace, store *live.Store) (string, error) {
	now, there, err := store.Serving(ctx)
	if err != nil {
		return "", err
	}
	if there {
		return now.Run, nil
	}
	run, err := stage.RunAddress(shop, "")
	if err != nil {
		return "", err
	}
	return filepath.Base(run), nil
}

// lay makes the workspace of the generation, or finds the one that an interrupted call made. Answers that were paid for, and pictures, come along.
func (o Options) lay(ctx context.Context, shop *workspace.Workspace, ds *dataset.Dataset, dir string) (*workspace.Workspace, error) {
	if _, err := os.Stat(filepath.Join(dir, "workspace.json")); err == nil {
		return workspace.Open(dir)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	fresh, err := os.MkdirTemp(filepath.Dir(dir), ".new-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(fresh) //nolint:errcheck // it has been renamed, or nothing came of it
	res, err := importing.Run(ctx, fresh, ds, &dataset.Report{Kind: "generation"}, importing.Options{Split: dataset.SplitByLatest,
		Source: map[string]string{"shop": shop.Manifest().SplitHash}}, o.Observe)
	if err != nil {
		return nil, err
	}
	if err := link(shop.Path(workspace.ImagesFolder), res.WS.Path(workspace.ImagesFolder)); err != nil {
		return nil, err
	}
	if ledger, there, err := shop.LedgerPath(); err == nil && there {
		to, _, err := res.WS.LedgerPath()
		if err != nil {
			return nil, err
		}
		if err := copied(ledger, to); err != nil {
			return nil, err
		}
	}
	if err := os.RemoveAll(dir); err != nil { // what a stopped call left that is no workspace
		return nil, err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return nil, err
	}
	return workspace.Open(dir)
}

// link has the files below a folder stand below another one too. Only regular files come along.
func link(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // no pictures
		case err != nil:
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, rel), 0o755)
		}
		if !d.Type().IsRegular() {
			return nil
		}
		if err := os.Link(path, filepath.Join(to, rel)); err != nil {
			return copied(path, filepath.Join(to, rel))
		}
		return nil
	})
}

func copied(from, to string) error {
	f, err := os.Open(from)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // it is only read
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	return atomicfile.WritePrivate(to, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// judge compares the new run with the one that is served, on the newest choice but one of each user, which neither was trained on.
func (o Options) judge(ctx context.Context, session *stage.Session, id string, out *Outcome) error {
	ds, err := session.Dataset()
	if err != nil {
		return err
	}
	oldDir, oldID, err := Locate(o.Shop, out.Against)
	if err != nil {
		return err
	}
	before, err := answering.Open(ctx, oldDir, answering.Options{Run: oldID, Trust: true})
	if err == nil && before.ReadsPreferences() { // people whom it has not met are written of by rules: nobody is asked for a comparison
		before, err = answering.Open(ctx, oldDir, answering.Options{Run: oldID, Writer: "offline", Trust: true})
	}
	if err != nil {
		return err
	}
	after, err := answering.Open(ctx, session.WS.Dir(), answering.Options{Run: id, Trust: true})
	if err != nil {
		return err
	}
	judge, err := session.Judge()
	if err != nil {
		return err
	}
	train := ds.TrainHistories()
	judged, err := judge.Rank(ctx, eval.Contender{Name: "run " + out.Run, Scorer: scorer(ctx, after, ds, train)}, eval.Contender{Name: "run " + out.Against, Scorer: scorer(ctx, before, ds, train)})
	if err != nil {
		return err
	}
	a, b := judged[0].PerUser(dataset.Valid), judged[1].PerUser(dataset.Valid)
	if len(a.Users) < 2 {
		return nil
	}
	c, err := eval.Compare(a, b, metric, resamples, bootSeed)
	out.Validation = &c
	return err
}

// elder scores the items of a generation by a run that may be older and know fewer of them.
type elder struct {
	ctx   context.Context //nolint:containedctx // eval.Scorer has none
	e     *answering.Engine
	ds    *dataset.Dataset
	train *dataset.Histories
	rows  []int32 // of the generation's items in the run; -1: it does not know the item
}

func scorer(ctx context.Context, e *answering.Engine, ds *dataset.Dataset, train *dataset.Histories) *elder {
	s := &elder{ctx: ctx, e: e, ds: ds, train: train, rows: make([]int32, ds.NumItems())}
	for i := range ds.Items {
		row, err := e.Item(ds.Items[i].ID)
		if s.rows[i] = row; err != nil {
			s.rows[i] = -1
		}
	}
	return s
}

func (s *elder) Users() int { return s.ds.Users() }
func (s *elder) Items() int { return s.ds.NumItems() }

// Scores implements eval.Scorer. People whom the run cannot place have no list.
func (s *elder) Scores(users []int32, dst *tensor.Matrix) error {
	for r, u := range users {
		row := dst.Row(r)
		for i := range row {
			row[i] = float32(math.Inf(-1))
		}
		who := answering.Asker{User: answering.Stranger}
		for _, i := range s.train.Items(int(u)) {
			if s.rows[i] >= 0 {
				who.History = append(who.History, s.rows[i])
			}
		}
		if known, err := s.e.User(s.ds.UserIDs[u]); err == nil {
			who.User = known
		} else if len(who.History) == 0 || !s.e.PlacesHistories() && !s.e.ReadsPreferences() {
			continue
		}
		placed, err := s.e.Place(s.ctx, []answering.Asker{who})
		if err != nil {
			return err
		}
		own := tensor.New(1, s.e.Items())
		if err := placed.Score(0, 1, own); err != nil {
			return err
		}
		for i, at := range s.rows {
			if at >= 0 {
				row[i] = own.Data[at]
			}
		}
	}
	return nil
}

// decide swaps where the new run is not worse on validation, as far as its users can tell: it knows what happened since, so that what is not told apart
// speaks for it. It says why in any case.
func (o Options) decide(ctx context.Context, out *Outcome) error {
	c := out.Validation
	switch {
	case c == nil:
		out.Why = "no user has a validation interaction to compare the runs on"
	case c.High < 0:
		out.Why = fmt.Sprintf("%s on validation is %.4f, that of the run which is served %.4f (difference %+.4f, 95 %% interval %+.4f to %+.4f, %d users)", metric, c.MeanA, c.MeanB, c.Difference, c.Low, c.High, c.Users)
	default:
		out.Swapped = true
		out.Why = fmt.Sprintf("%s on validation is %.4f, that of the run before %.4f (difference %+.4f, 95 %% interval %+.4f to %+.4f, %d users)", metric, c.MeanA, c.MeanB, c.Difference, c.Low, c.High, c.Users)
	}
	if o.Worse && !out.Swapped {
		out.Swapped = true
		out.Why += "; swapped all the same, as was asked for"
	}
	if !out.Swapped {
		return nil
	}
	now, there, err := o.Store.Serving(ctx)
	if err != nil {
		return err
	}
	if there && len(now.Arms) > 0 {
		out.Swapped = false
		out.Why = "an A/B test is under way; serve one run first. " + out.Why
		return nil
	}
	base := live.AnyVersion
	if there {
		base = now.Version
	}
	_, err = o.Store.Serve(ctx, live.ServingState{Run: out.Run, Why: out.Why}, base)
	return err
}

// Back serves what was served before the last swap.
func Back(ctx context.Context, store *live.Store) (from, to string, err error) {
	history, err := store.ServingHistory(ctx)
	if err != nil {
		return "", "", err
	}
	if len(history) < 2 {
		return "", "", usererr.New("There is nothing to go back to.", "%d versions of what is served are on record", len(history))
	}
	last := history[len(history)-1]
	before := history[len(history)-2]
	if last.From > 1 { // it went back already: further back
		for _, v := range history {
			if v.Version == last.From-1 {
				before = v
			}
		}
	}
	_, err = store.ServeAgain(ctx, before.Version, "gone back from "+last.Run)
	return last.Run, before.Run, err
}

func write(path string, v any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}
