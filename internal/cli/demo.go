package cli

import (
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/demo"
)

func (a *app) demoCmd() *cobra.Command {
	var out string
	var seed uint64
	var epochs int
	var served, month bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "The whole job, offline, on a built-in shop with pictures",
		Long: `Demo draws a small shop (several hundred product pictures with texts, a few thousand
simulated shoppers whose taste follows looks and words), runs every stage offline, and
shows the result against popularity and random, with some shoppers' histories,
preferences and recommendations. The workspace and a page to look at stay in --out. With
--serve it ends by serving the shop on this machine: pages to look at, and the HTTP API.
With --month it simulates a month of the served shop: newcomers of whom nothing is known ask
for lists and buy by tastes that the shop does not know, half of these tastes change on day 16,
and each night it retrains. How well the lists suit them is printed day by day.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			res, err := demo.Run(cmd.Context(), demo.Options{Dir: out, Seed: seed, Epochs: epochs, Observe: a.observer()})
			if err != nil {
				return err
			}
			if month {
				return a.month(cmd, res.Workspace, seed)
			}
			if served {
				a.dir = res.Workspace
				if !a.json {
					a.printDemo(res)
				}
				return a.serve(cmd.Context(), res.Workspace, &serveFlags{addr: demoAddr, cache: "64MB"})
			}
			if a.json {
				return a.emit(res)
			}
			a.printDemo(res)
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "mllmrec-demo", "folder for the shop, its workspace and the page")
	cmd.Flags().Uint64Var(&seed, "seed", 1, "random seed of the shop and the training")
	cmd.Flags().IntVar(&epochs, "epochs", demo.Epochs, "largest number of training epochs")
	cmd.Flags().BoolVar(&served, "serve", false, "end by serving the shop at http://"+demoAddr+", for this machine alone")
	cmd.Flags().BoolVar(&month, "month", false, "simulate a month of the served shop, with feedback by day and retraining by night")
	cmd.MarkFlagsMutuallyExclusive("serve", "month")
	return cmd
}

// month prints the simulated month, a line a day as it comes.
func (a *app) month(cmd *cobra.Command, dir string, seed uint64) error {
	if !a.json {
		fmt.Fprintf(a.stdout, "\n300 newcomers; of 10 items recommended, those among the 36 that suit them best of what they have not yet. On day %d half of them begin to like other things.\n\n", demo.ChangeDay)
		fmt.Fprintln(a.stdout, "day  taste stays  taste changes  most popular  bought  the night's run")
	}
	var days []demo.Day
	err := demo.Month(cmd.Context(), dir, seed, demo.Days, func(d demo.Day) {
		days = append(days, d)
		if a.json {
			return
		}
		verdict := "is served"
		if !d.Swapped {
			verdict = "is surely worse: not served"
		}
		fmt.Fprintf(a.stdout, "%3d  %11.2f  %13.2f  %12.2f  %6d  %s\n", d.Day, d.Kept, d.Changed, d.Popular, d.Purchases, verdict)
	})
	if err != nil || !a.json {
		return err
	}
	return a.emit(map[string]any{"days": days})
}

// demoAddr is where the demo's shop is served.
const demoAddr = "127.0.0.1:8080"

func (a *app) printDemo(r *demo.Result) {
	w := a.stdout
	fmt.Fprintf(w, "\nA shop of %d items and %d shoppers, %d interactions; %s in all.\n\n",
		r.Statistics.Items, r.Statistics.Users, r.Statistics.Interactions, time.Duration(r.Seconds*float64(time.Second)).Round(100*time.Millisecond))
	rows := [][]string{metricRow("MLLMRec", r.Evaluation.Test)}
	for _, b := range r.Evaluation.Baselines {
		rows = append(rows, metricRow(b.Name, b.Test))
	}
	table(w, []string{"test, full ranking", "R@10", "R@20", "N@10", "N@20"}, rows)
	for _, u := range r.Users {
		fmt.Fprintf(w, "\n%s chose %s\n", u.User, strings.Join(titles(u.History), "; "))
		fmt.Fprintf(w, "  preference (by rules, no model): %s\n", clip(u.Preference, 320))
		for _, rec := range u.Recommendations {
			fmt.Fprintf(w, "  %d. %s — %s\n", rec.Rank, rec.Title, because(rec.Because))
		}
	}
	fmt.Fprintf(w, "\nLook at it: %s\n", filepath.Join(r.Out, demo.PageFile))
	fmt.Fprintf(w, "Ask it:     mllmrec recommend %s --text \"%s\"\n", r.Workspace, r.Sentence)
	fmt.Fprintf(w, "Serve it:   mllmrec serve %s\n", r.Workspace)
	fmt.Fprintf(w, "Check it:   mllmrec audit %s\n", r.Workspace)
}

func titles(items []demo.Item) []string {
	var t []string
	for _, i := range items {
		t = append(t, i.Title)
	}
	return t
}
