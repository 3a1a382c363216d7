package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/evaluating"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) evaluateCmd() *cobra.Command {
	var run, against string
	var views, strangers bool
	cmd := &cobra.Command{
		Use:   "evaluate WS",
		Short: "Full-ranking metrics of a run on valid and test",
		Long: `Evaluate ranks every item of the catalogue for every user, train items masked, ties to the
lower item index, and averages Recall, NDCG, Precision, MAP and hit rate at 5, 10, 20
and 50 over the users of a split, with popularity, random and, where the run was made
from vectors, those vectors untrained beside them; then catalogue coverage, novelty and
Gini, and the same by history length and by item popularity.

--views tells what each view of a hybrid run is worth: how much Recall@20 up to 8,000
validation users lose when it is left out and the others stay, with a 95 % interval over
users. The view preference is what a language model's texts are worth.

--strangers fits a model that knows nobody by an id once more, without a tenth of the
users and a twentieth of the items, and measures on test how it serves them: people with
1, 2, 3–5 and 6 items or more beside the same people when they are known, and items that
nobody chose. It takes as long as training.

--against RUN compares two runs user by user: the mean difference of each metric with its
95 % bootstrap interval over users. Users whom both serve alike say nothing of which is
better, and most are such: the interval counts, not how far two means lie apart.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if views && strangers || against != "" && (views || strangers) {
				return usererr.New("", "--views, --strangers and --against exclude each other; give one")
			}
			if against != "" {
				return a.duel(cmd.Context(), args[0], run, against)
			}
			if strangers {
				return a.strangers(cmd.Context(), args[0], run)
			}
			if views {
				return a.worth(cmd.Context(), args[0], run)
			}
			ev, err := a.evaluate(cmd.Context(), args[0], run)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(ev)
			}
			printEvaluation(a.stdout, ev)
			return nil
		},
	}
	cmd.Flags().StringVar(&run, "run", "", "id of the run (default: the one made or chosen last)")
	cmd.Flags().BoolVar(&views, "views", false, "what each view of a hybrid run is worth on validation; nothing is recorded")
	cmd.Flags().BoolVar(&strangers, "strangers", false, "how the run's model serves users and items that it has never seen; nothing is recorded")
	cmd.Flags().StringVar(&against, "against", "", "id of another run to compare with, user by user; nothing is recorded")
	return cmd
}

// duel prints how two runs differ.
func (a *app) duel(ctx context.Context, dir, id, other string) error {
	s, err := a.open(dir)
	if err != nil {
		return err
	}
	d, err := evaluating.Against(ctx, s, id, other)
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(d)
	}
	fmt.Fprintf(a.stdout, "run %s against %s%s; %.0f %% of the test users have the same R@20 by both\n\n", d.Run, d.Against, leakyMark(d.Leaky), 100*d.Tied)
	var rows [][]string
	for _, c := range d.Metrics {
		rows = append(rows, []string{c.Split + " " + c.Metric, fmt.Sprint(c.Users), metric(c.MeanA), metric(c.MeanB),
			fmt.Sprintf("%+.4f", c.Difference), fmt.Sprintf("%+.4f to %+.4f", c.Low, c.High)})
	}
	table(a.stdout, []string{"", "users", d.Run, d.Against, "difference", "95 % interval"}, rows)
	return nil
}

// strangers prints how a model serves whom it has never seen.
func (a *app) strangers(ctx context.Context, dir, id string) error {
	s, err := a.open(dir)
	if err != nil {
		return err
	}
	r, err := evaluating.MeasureStrangers(ctx, s, id)
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(r)
	}
	fmt.Fprintf(a.stdout, "run %s, fitted again without %d users and %d items; test R@20\n\n", r.Run, r.Users, r.Items)
	var rows [][]string
	for _, g := range r.Histories {
		ratio := "–"
		if g.Known > 0 {
			ratio = fmt.Sprintf("%.2f", g.Stranger/g.Known)
		}
		rows = append(rows, []string{g.History, fmt.Sprint(g.Users), metric(g.Stranger), metric(g.Known), ratio, metric(g.Popularity)})
	}
	table(a.stdout, []string{"history", "users", "as strangers", "known", "ratio", "popularity"}, rows)
	fmt.Fprintf(a.stdout, "\nitems that nobody chose: found by %s of %d users who chose one later; by chance %s\n", metric(r.ColdItems.Recall), r.ColdItems.Users, metric(r.ColdItems.Random))
	return nil
}

// worth prints what the views of a run are worth.
func (a *app) worth(ctx context.Context, dir, id string) error {
	s, err := a.open(dir)
	if err != nil {
		return err
	}
	w, err := evaluating.Views(ctx, s, id)
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(w)
	}
	fmt.Fprintf(a.stdout, "run %s: valid R@20 %.4f over %d users\n\n", w.Run, w.With, w.Users)
	var rows [][]string
	for _, v := range w.Views {
		rows = append(rows, []string{v.View, metric(v.Gain.MeanB), fmt.Sprintf("%+.4f", v.Gain.Difference), fmt.Sprintf("%+.4f to %+.4f", v.Gain.Low, v.Gain.High)})
	}
	table(a.stdout, []string{"view", "R@20 without it", "gain", "95 % interval"}, rows)
	return nil
}

// evaluate measures a run, and records what came of it unless somebody else writes to the
// workspace or nobody may.
func (a *app) evaluate(ctx context.Context, dir, id string) (*evaluating.Evaluation, error) {
	s, err := a.open(dir)
	if err != nil {
		return nil, err
	}
	release, err := s.WS.Lock()
	if err != nil {
		var held *workspace.LockedError
		if errors.As(err, &held) || errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) {
			s.Note(workspace.StageEvaluate, "the result is not recorded: %v", err)
			return evaluating.Measure(ctx, s, id)
		}
		return nil, err
	}
	defer release()
	run, address, err := training.Find(s.WS, id)
	if err != nil {
		return nil, err
	}
	e := stage.NewEngine(s, evaluating.Stage{Fitted: training.Fits(run.Model)})
	if err := e.Use(address); err != nil {
		return nil, err
	}
	e.Again(workspace.KindEvaluation)
	if address, err = e.Make(ctx, workspace.KindEvaluation); err != nil {
		return nil, err
	}
	return evaluating.Load(s.WS, address)
}

func printEvaluation(w io.Writer, ev *evaluating.Evaluation) {
	fmt.Fprintf(w, "run %s%s, provenance %s\n", ev.Run, leakyMark(ev.Leaky), ev.Provenance)
	if ev.Warning != "" {
		fmt.Fprintln(w, ev.Warning)
	}
	fmt.Fprintln(w)
	rows := [][]string{metricRow(ev.Model+" valid", ev.Valid), metricRow(ev.Model+" test", ev.Test)}
	for _, b := range ev.Baselines {
		rows = append(rows, metricRow(b.Name+" test", b.Test))
	}
	table(w, []string{"", "R@10", "R@20", "N@10", "N@20"}, rows)
	fmt.Fprintf(w, "\ntop-20 lists: %.1f %% of the catalogue, novelty %.2f bits, Gini %.3f\n",
		100*ev.Test["coverage@20"], ev.Test["novelty@20"], ev.Test["gini@20"])
	rows = nil
	for _, s := range ev.Slices {
		rows = append(rows, []string{s.By + " " + s.Label, fmt.Sprint(s.Users), metric(s.Values["recall@20"]), metric(s.Values["ndcg@20"])})
	}
	fmt.Fprintln(w)
	table(w, []string{"slice (test)", "users", "R@20", "N@20"}, rows)
}
