package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) withdrawCmd() *cobra.Command {
	var store, stage string
	cmd := &cobra.Command{
		Use:   "withdraw [WS] --store postgres://…",
		Short: "Take back questions that no worker has begun",
		Long: `Withdraw takes back chunks of questions that a stopped coordinator left in the database:
those of one workspace, or everybody's where none is named. Chunks that a worker has begun
go on to their end, and their answers are kept. A coordinator that still waits for what is
withdrawn ends with marked fallback texts; its next run asks again.`,
		Example: `  mllmrec worker withdraw shop.ws --store postgres://db/mllmrec --stage reason`,
		Args:    cobra.MaximumNArgs(1),
	}
	cmd.Flags().StringVar(&store, "store", "", "postgres:// address of the database (required)")
	cmd.Flags().StringVar(&stage, "stage", "", "describe or reason (default: both)")
	required(cmd, "store")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var ws *workspace.Workspace
		if len(args) > 0 {
			s, err := a.open(args[0])
			if err != nil {
				return err
			}
			ws = s.WS
		}
		shared, err := asking.OpenShared(cmd.Context(), store)
		if err != nil {
			return err
		}
		defer shared.Close()
		w, err := shared.Withdraw(cmd.Context(), stage, ws)
		if err != nil {
			return err
		}
		if a.json {
			return a.emit(w)
		}
		fmt.Fprintf(a.stdout, "took back %d chunks with %d questions\n", w.Chunks, w.Questions)
		if w.Running > 0 {
			fmt.Fprintf(a.stdout, "%d chunks are with workers and go on to their end\n", w.Running)
		}
		return nil
	}
	return cmd
}
