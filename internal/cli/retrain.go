package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/build"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/retraining"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
)

func (a *app) retrainCmd() *cobra.Command {
	var store string
	var counts []string
	var back, worse, dry bool
	cmd := &cobra.Command{
		Use:   "retrain WS",
		Short: "Make the next run from the feedback that came in, and swap to it if it is not worse",
		Long: `Retrain takes in what happened while the shop was served: feedback that counts (see --count),
items and users that came, items that changed. It makes a run from these and the shop's own data,
in a workspace of its own below WS/generations, compares it with the run that is served on each
user's newest choice but one, which neither was trained on, and swaps unless Recall@20 there is
worse: unless its 95 % interval over users lies below that of no difference. If it is, it says by
how much and leaves what is served. Servers that run follow within seconds, without a request
failing.

Answers of language models that were paid for come along, and only what is new is asked for.
Stopped at any moment, the same command goes on, unless more feedback came meanwhile. --back
serves what was served before the last swap.`,
		Example: `  mllmrec retrain shop.ws
  mllmrec retrain shop.ws --model hybrid --mllm ollama --encoder minilm
  mllmrec retrain shop.ws --dry-run
  mllmrec retrain shop.ws --back`,
		Args: cobra.ExactArgs(1),
	}
	opt := build.New()
	cmd.Flags().StringVar(&store, "store", "", storeOfShop)
	cmd.Flags().StringArrayVar(&counts, "count", nil, "how much an event of a type counts, such as view=0.2; above 0 it is taken for a choice (default: like and purchase 1, view and hide 0); may be repeated")
	cmd.Flags().BoolVar(&back, "back", false, "serve what was served before the last swap, and train nothing")
	cmd.Flags().BoolVar(&worse, "swap-worse", false, "swap even to a run that is worse on validation")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "count what would be taken in, and train nothing")
	bind(cmd, opt.Set(), "store")
	opt.Writer.MLLM = backend.Offline // a nightly run asks nobody unless it is told to
	cmd.Flags().Lookup("mllm").DefValue = backend.Offline
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.onLive(cmd, args[0], store, func(s *live.Store) error {
			if back {
				return a.goBack(cmd, s)
			}
			weights, err := weightsOf(counts)
			if err != nil {
				return err
			}
			o := retraining.Options{Shop: args[0], Store: s, Build: opt, Weights: weights, Worse: worse, Observe: a.observer()}
			if dry {
				return a.dryRetrain(cmd, o)
			}
			out, err := retraining.Run(cmd.Context(), o)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(out)
			}
			a.printRetrained(out)
			return nil
		})
	}
	return cmd
}

func (a *app) goBack(cmd *cobra.Command, s *live.Store) error {
	from, to, err := retraining.Back(cmd.Context(), s)
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(map[string]string{"from": from, "to": to})
	}
	fmt.Fprintf(a.stdout, "run %s is served again, in the place of %s\n", to, from)
	return nil
}

func (a *app) dryRetrain(cmd *cobra.Command, o retraining.Options) error {
	ws, err := a.open(o.Shop)
	if err != nil {
		return err
	}
	base, err := ws.Dataset()
	if err != nil {
		return err
	}
	_, taken, err := retraining.Gather(cmd.Context(), base, o.Store, o.Weights)
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(taken)
	}
	a.printTaken(taken)
	return nil
}

func (a *app) printTaken(t *retraining.Taken) {
	fmt.Fprintf(a.stdout, "%d events: %d choices, %d that count nothing, %d on items that nobody described; %d new users, %d new items, %d changed\n",
		t.Events, t.Interactions, t.Passed, t.Unknown, t.Users, t.Items, t.Changed)
}

func (a *app) printRetrained(out *retraining.Outcome) {
	a.printTaken(out.Taken)
	switch {
	case out.Run == "":
		fmt.Fprintln(a.stdout, out.Why)
	case out.Swapped:
		fmt.Fprintf(a.stdout, "run %s is served from now on, in the place of %s: %s\n", out.Run, out.Against, out.Why)
	default:
		fmt.Fprintf(a.stdout, "run %s is not served, %s goes on: %s\n", out.Run, out.Against, out.Why)
	}
}
