package cli

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) showCmd(stage string) *cobra.Command {
	q := asking.Query{Stage: stage}
	what := map[string]string{workspace.StageDescribe: "item", workspace.StageReason: "user"}[stage]
	cmd := &cobra.Command{
		Use:   "show WS",
		Short: "Show answers of the ledger: of one " + what + ", or those that failed",
		Long: `Show prints answers with the model, tokens, attempts and, for one that is quarantined, what
is wrong with it and what class of failure that is. Answers of earlier models and prompts
are kept, and shown too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.Limit < 1 {
				return usererr.New("", "--limit %d: give a positive number", q.Limit)
			}
			s, err := a.open(args[0])
			if err != nil {
				return err
			}
			list, more, err := asking.Find(cmd.Context(), s.WS, q)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(map[string]any{"stage": stage, "answers": answersJSON(list), "more": more})
			}
			for _, g := range list {
				fold := ""
				if g.Fold >= 0 {
					fold = fmt.Sprintf(", blind to fold %d", g.Fold)
				}
				fmt.Fprintf(a.stdout, "%s%s · %s · %s · attempt %d · %d+%d tokens · %.1f s\n", printable(g.Subject), fold, g.Status, g.Model, g.Attempt, g.PromptTokens, g.AnswerTokens, g.Seconds)
				if g.Error != "" {
					fmt.Fprintf(a.stdout, "  %s: %s\n", g.Class, clip(g.Error, 300))
				}
				if g.Text != "" {
					fmt.Fprintf(a.stdout, "  %s\n", clip(g.Text, 1000))
				}
			}
			if len(list) == 0 {
				fmt.Fprintln(a.stdout, "no such answers")
			}
			if more {
				fmt.Fprintf(a.stdout, "… there are more; --limit shows them\n")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&q.Subject, what, "", "id of the "+what)
	cmd.Flags().StringVar(&q.Status, "status", "", "ok or quarantined (default: both)")
	cmd.Flags().IntVar(&q.Limit, "limit", 20, "show at most so many")
	cmd.Flags().StringVar(&q.Store, "store", "", "postgres:// address of the ledger, if it is not the workspace's own")
	return cmd
}

// answerJSON is an answer whose parameters are an object, not the text of one.
type answerJSON struct {
	texts.Generation
	Params json.RawMessage `json:"params,omitempty"`
}

func answersJSON(list []texts.Generation) []answerJSON {
	out := make([]answerJSON, len(list))
	for i, g := range list {
		out[i].Generation = g
		if json.Valid([]byte(g.Params)) {
			out[i].Params = json.RawMessage(g.Params)
		}
	}
	return out
}
