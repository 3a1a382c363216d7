package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func (a *app) recommendCmd() *cobra.Command {
	var user, run, text, writer string
	var history []string
	var k int
	var explain bool
	cmd := &cobra.Command{
		Use:   "recommend WS",
		Short: "Rank items for a user, a history or a sentence",
		Long: `Recommend ranks the whole catalogue for one person: a user of the data set (--user), somebody
never seen who chose some items (--history, oldest first) or who says what they like
(--text). Nothing is retrained. Each item comes with what carried it; --explain takes its
score apart, for models that are fitted to items, such as hybrid.

--history takes one id and may be repeated; what is no id as a whole is taken for several
ids, separated by commas. An id that begins with a dash is written --history=-7.`,
		Example: `  mllmrec recommend shop.ws --user u42 -k 10
  mllmrec recommend shop.ws --history mug-7,lamp-3
  mllmrec recommend shop.ws --history 'Mug, red' --history lamp-3
  mllmrec recommend shop.ws --text "striped mugs in warm red"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := exactlyOne(cmd, "user", "history", "text"); err != nil {
				return err
			}
			var opts []mllmrec.Option
			if run != "" {
				opts = append(opts, mllmrec.WithRun(run))
			}
			if writer != "" {
				if !cmd.Flags().Changed("history") {
					return usererr.New("", "--mllm has no effect without --history: nothing has to be written")
				}
				opts = append(opts, mllmrec.WithWriter(writer))
			}
			if explain {
				opts = append(opts, mllmrec.WithParts())
			}
			a.dir = args[0]
			rec, err := mllmrec.Open(cmd.Context(), args[0], opts...)
			if err != nil {
				return err
			}
			defer rec.Close() //nolint:errcheck // nothing is written through it
			var items []mllmrec.Recommendation
			switch {
			case cmd.Flags().Changed("user"):
				items, err = rec.ForUser(cmd.Context(), user, k)
			case cmd.Flags().Changed("history"):
				items, err = rec.ForHistory(cmd.Context(), splitIDs(history, func(id string) bool { _, err := rec.Item(id); return err == nil }), k)
			default:
				items, err = rec.ForText(cmd.Context(), text, k)
			}
			if err != nil {
				return err
			}
			return a.printRecommendations(cmd.Context(), rec, items)
		},
	}
	cmd.Flags().StringVar(&user, "user", "", "id of a user of the data set")
	cmd.Flags().StringArrayVar(&history, "history", nil, "id of an item chosen by somebody never seen, or several, separated by commas; may be repeated, oldest first")
	cmd.Flags().StringVar(&text, "text", "", "what somebody likes, in a sentence")
	cmd.Flags().StringVar(&run, "run", "", "id of the run to ask (default: the one made or chosen last)")
	cmd.Flags().StringVar(&writer, "mllm", "", "with --history: who writes the preference, such as offline (default: who wrote the workspace's)")
	cmd.Flags().BoolVar(&explain, "explain", false, "print what each score is the sum of: views of the person, and the items of the history in them")
	cmd.Flags().IntVarP(&k, "k", "k", 10, "how many items")
	return cmd
}

// splitIDs returns the ids that values name: a value that is one as a whole, with its
// commas and blanks, or those between its commas.
func splitIDs(values []string, known func(id string) bool) []string {
	var ids []string
	for _, v := range values {
		if known(v) {
			ids = append(ids, v)
			continue
		}
		for id := range strings.SplitSeq(v, ",") {
			if !known(id) {
				id = strings.TrimSpace(id)
			}
			if id != "" {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// exactlyOne fails unless one of the flags was given, and only one.
func exactlyOne(cmd *cobra.Command, names ...string) error {
	var given []string
	for _, n := range names {
		if cmd.Flags().Changed(n) {
			given = append(given, "--"+n)
		}
	}
	if len(given) == 1 {
		return nil
	}
	want := "--" + strings.Join(names, ", --")
	if len(given) == 0 {
		return usererr.New("", "give one of %s", want)
	}
	return usererr.New("", "%s exclude each other; give one", strings.Join(given, " and "))
}

func (a *app) printRecommendations(_ context.Context, rec *mllmrec.Recommender, items []mllmrec.Recommendation) error {
	run := rec.Run()
	if a.json {
		return a.emit(map[string]any{"run": run.ID, "model": run.Model, "leaky": run.Leaky, "provenance": run.Provenance, "items": items})
	}
	if run.Leaky {
		fmt.Fprintln(a.stdout, "leaky: this run was made with test interactions in sight")
	}
	var rows [][]string
	for _, it := range items {
		rows = append(rows, []string{fmt.Sprint(it.Rank), it.Item, clip(it.Title, 48), fmt.Sprintf("%.3f", it.Score), because(it.Because)})
	}
	table(a.stdout, []string{"#", "item", "title", "score", "because"}, rows)
	for _, it := range items {
		a.printParts(it)
	}
	return nil
}

// partItems is how many items of a history are printed for a view; the others are summed up.
const partItems = 5

// printParts prints what a score is the sum of.
func (a *app) printParts(it mllmrec.Recommendation) {
	if len(it.Parts) == 0 {
		return
	}
	fmt.Fprintf(a.stdout, "\n%s %s: %.4f\n", it.Item, clip(it.Title, 48), it.Score)
	for _, p := range it.Parts {
		name := p.View
		if name == "" {
			name = "items"
		}
		fmt.Fprintf(a.stdout, "  %+.4f  %s\n", p.Score, name)
		others := 0.0
		for n, i := range p.Items {
			if n >= partItems {
				others += i.Score
				continue
			}
			fmt.Fprintf(a.stdout, "           %+.4f  %s %s\n", i.Score, i.Item, clip(i.Title, 48))
		}
		if n := len(p.Items) - partItems; n > 0 {
			fmt.Fprintf(a.stdout, "           %+.4f  %d more items\n", others, n)
		}
		if p.Rest != 0 && len(p.Items) > 0 {
			fmt.Fprintf(a.stdout, "           %+.4f  mean of the catalogue\n", p.Rest)
		}
	}
}

func because(reasons []mllmrec.Reason) string {
	var parts []string
	for _, r := range reasons {
		if r.Words != "" {
			parts = append(parts, "you said "+r.Words)
			continue
		}
		name := r.Title
		if name == "" {
			name = r.Item
		}
		how := fmt.Sprintf("alike %.2f", r.Weight)
		if r.Via == mllmrec.ViaAudience {
			how = fmt.Sprintf("%.0f chose both", r.Weight)
		}
		parts = append(parts, fmt.Sprintf("%s (%s)", clip(name, 28), how))
	}
	return strings.Join(parts, "; ")
}
