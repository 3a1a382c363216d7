package cli

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/pipeline"
)

// statusResult is what status prints with --json. The describe and reason counts
// stand at the top level, where scripts watching a long reasoning stage look.
type statusResult struct {
	Workspace    string                 `json:"workspace"`
	Name         string                 `json:"name"`
	Split        string                 `json:"split"`
	Users        int                    `json:"users"`
	Items        int                    `json:"items"`
	Interactions int                    `json:"interactions"`
	Stages       []pipeline.StageStatus `json:"stages"`
	Describe     pipeline.Answers       `json:"describe"`
	Reason       pipeline.Answers       `json:"reason"`
	Queue        *queueResult           `json:"queue,omitempty"` // with --store
	Runs         []pipeline.RunSummary  `json:"runs"`
}

func (a *app) statusCmd() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:   "status WS",
		Short: "What is done, stale or missing",
		Long: `Status says of every stage whether it is done, stale or missing, and counts answers, also
while a run goes on. A run with --store keeps them in a shared database: give status its
address too, and it counts there what is this workspace's, and shows the queue and the
workers.`,
		Example: `  mllmrec status shop.ws
  mllmrec status shop.ws --store postgres://db/mllmrec`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := a.open(args[0])
			if err != nil {
				return err
			}
			var shared *pipeline.Shared
			if store != "" {
				if shared, err = pipeline.OpenShared(cmd.Context(), store); err != nil {
					return err
				}
				defer shared.Close()
			}
			m := p.WS.Manifest()
			res := statusResult{Workspace: p.WS.Dir(), Name: m.Name, Split: m.Split, Users: m.Users, Items: m.Items, Interactions: m.Interactions}
			if res.Stages, err = p.Status(cmd.Context()); err != nil {
				return err
			}
			if res.Describe, res.Reason, err = p.Answers(cmd.Context(), shared); err != nil {
				return err
			}
			if shared != nil {
				state, err := shared.Queue(cmd.Context())
				if err != nil {
					return err
				}
				res.Queue = &queueResult{state, pipeline.Owner(p.WS)}
			}
			if res.Runs, err = p.Runs(); err != nil {
				return err
			}
			if a.json {
				return a.emit(res)
			}
			a.printStatus(res)
			return nil
		},
	}
	cmd.Flags().StringVar(&store, "store", "", "postgres:// address of the ledger of a run with --store: count there, and show the queue and the workers")
	return cmd
}

func (a *app) printStatus(s statusResult) {
	fmt.Fprintf(a.stdout, "%s: %s, %d users, %d items, %d interactions, split %s\n\n", s.Workspace, s.Name, s.Users, s.Items, s.Interactions, s.Split)
	var rows [][]string
	for _, st := range s.Stages {
		when := ""
		if st.Finished != nil && !st.Finished.IsZero() {
			when = st.Finished.Local().Format(time.DateTime)
		}
		note := st.Reason
		if note == "" && st.Stage != "import" && st.Provenance != "" {
			note = "provenance " + st.Provenance
		}
		rows = append(rows, []string{st.Stage, st.State, when, note})
	}
	table(a.stdout, []string{"stage", "state", "finished", ""}, rows)
	fmt.Fprintf(a.stdout, "\nanswers: describe %s; reason %s\n", answersLine(s.Describe), answersLine(s.Reason))
	if s.Describe.NeedsStore || s.Reason.NeedsStore {
		fmt.Fprintf(a.stdout, "a run that keeps its answers in a shared ledger is under way; to count them: mllmrec status %s --store postgres://…\n", s.Workspace)
	}
	if s.Queue != nil {
		a.printQueue(s.Queue)
	}
	if len(s.Runs) == 0 {
		return
	}
	fmt.Fprintln(a.stdout)
	rows = nil
	for _, r := range s.Runs {
		state := "finished"
		if !r.Finished {
			state = "interrupted; the same train command goes on"
		}
		rows = append(rows, []string{r.ID, r.Model, fmt.Sprint(r.Epochs), metric(r.Test["recall@20"]), metric(r.Test["ndcg@20"]), state + leakyMark(r.Leaky)})
	}
	table(a.stdout, []string{"run", "model", "epochs", "test R@20", "N@20", "state"}, rows)
}

func answersLine(n pipeline.Answers) string {
	if n.NeedsStore {
		return fmt.Sprintf("? of %d", n.Total)
	}
	return fmt.Sprintf("%d of %d, %d failed, %d quarantined", n.Done, n.Total, n.Failed, n.Quarantined)
}
