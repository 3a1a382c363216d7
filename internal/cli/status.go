package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// statusResult is what status prints with --json. The describe and reason counts
// stand at the top level, where scripts watching a long reasoning stage look.
type statusResult struct {
	Workspace    string               `json:"workspace"`
	Name         string               `json:"name"`
	Split        string               `json:"split"`
	Users        int                  `json:"users"`
	Items        int                  `json:"items"`
	Interactions int                  `json:"interactions"`
	Modalities   []importing.Modality `json:"modalities"` // of which there are item vectors
	Stages       []stage.Status       `json:"stages"`
	Tree         *stage.Node          `json:"tree"`
	Describe     asking.Counts        `json:"describe"`
	Reason       asking.Counts        `json:"reason"`
	Queue        *queueResult         `json:"queue,omitempty"` // with --store
	Runs         []training.Summary   `json:"runs"`
}

func (a *app) statusCmd() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:   "status WS",
		Short: "What is done, stale or missing, and what depends on what",
		Long: `Status says of every stage whether it is done, stale or missing, draws the tree of what was
made from what, and counts answers, also while a run goes on. A run with --store keeps
them in a shared database: give status its address too, and it counts there what is this
workspace's, and shows the queue and the workers.`,
		Example: `  mllmrec status shop.ws
  mllmrec status shop.ws --store postgres://db/mllmrec`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			res, err := a.status(cmd, args[0], store)
			if err != nil {
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

func (a *app) status(cmd *cobra.Command, dir, store string) (*statusResult, error) {
	s, err := a.open(dir)
	if err != nil {
		return nil, err
	}
	var shared *asking.Shared
	if store != "" {
		if shared, err = asking.OpenShared(cmd.Context(), store); err != nil {
			return nil, err
		}
		defer shared.Close()
	}
	m := s.WS.Manifest()
	res := &statusResult{Workspace: s.WS.Dir(), Name: m.Name, Split: m.Split, Users: m.Users, Items: m.Items, Interactions: m.Interactions,
		Modalities: importing.Modalities(s.WS), Stages: stage.StatusOf(s.WS), Tree: stage.Tree(s.WS)}
	if res.Describe, res.Reason, err = asking.Count(cmd.Context(), s.WS, shared); err != nil {
		return nil, err
	}
	if shared != nil {
		state, err := shared.Queue(cmd.Context())
		if err != nil {
			return nil, err
		}
		res.Queue = &queueResult{state, asking.Owner(s.WS)}
	}
	res.Runs, err = training.List(s.WS)
	return res, err
}

func (a *app) printStatus(s *statusResult) {
	fmt.Fprintf(a.stdout, "%s: %s, %d users, %d items, %d interactions, split %s\n\n", s.Workspace, s.Name, s.Users, s.Items, s.Interactions, s.Split)
	if len(s.Modalities) > 0 {
		fmt.Fprintf(a.stdout, "item vectors: %s\n\n", modalitiesLine(s.Modalities))
	}
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
	if s.Tree != nil && len(s.Tree.Above) > 0 {
		fmt.Fprint(a.stdout, "\nwhat was made from what (* is used unless told otherwise)\n")
		a.printTree(s.Tree, "", "", "")
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
		rows = append(rows, []string{r.ID, modelOf(r), fmt.Sprint(r.Epochs), metric(r.Test["recall@20"]), metric(r.Test["ndcg@20"]), state + leakyMark(r.Leaky)})
	}
	table(a.stdout, []string{"run", "model", "epochs", "test R@20", "N@20", "state"}, rows)
}

// modelOf names a run's model with the modalities that it was told to read.
func modelOf(r training.Summary) string {
	if read := r.Settings[training.SettingModalities]; read != "" {
		return r.Model + " (" + read + ")"
	}
	return r.Model
}

// printTree draws an artefact and what was made from it. What else an artefact was made
// from, beside the one that it hangs on and the data, is named behind it.
func (a *app) printTree(n *stage.Node, parent, first, rest string) {
	line := first + n.Address
	if n.Current {
		line += " *"
	}
	others := slices.DeleteFunc(slices.Clone(n.From), func(address string) bool { return address == parent || address == workspace.DataAddress })
	if len(others) > 0 {
		line += "  (and " + strings.Join(others, ", ") + ")"
	}
	switch {
	case !n.Intact:
		line += "  changed or missing"
	case n.Leaky:
		line += "  leaky"
	}
	fmt.Fprintln(a.stdout, printable(line))
	for i, above := range n.Above {
		if i == len(n.Above)-1 {
			a.printTree(above, n.Address, rest+"└─ ", rest+"   ")
		} else {
			a.printTree(above, n.Address, rest+"├─ ", rest+"│  ")
		}
	}
}

func answersLine(n asking.Counts) string {
	if n.NeedsStore {
		return fmt.Sprintf("? of %d", n.Total)
	}
	return fmt.Sprintf("%d of %d, %d failed, %d quarantined", n.Done, n.Total, n.Failed, n.Quarantined)
}
