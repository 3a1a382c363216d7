package cli

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/pipeline"
)

func (a *app) workerCmd() *cobra.Command {
	author := &authorFlags{}
	var untilEmpty bool
	cmd := &cobra.Command{
		Use:   "worker --store postgres://…",
		Short: "Answer questions that other machines put into a shared database",
		Long: `Worker takes chunks of questions that 'mllmrec describe' and 'mllmrec reason' put into the
database with --workers, asks the model servers it is given, and stores each answer at
once. Start any number, on any machines; kill them at any time: another one takes over
what a killed one held, and asks nothing that is stored. The model and the prompts come
with the questions; addresses and keys are the worker's own.`,
		Example: `  mllmrec worker --store postgres://db/mllmrec --base-url http://localhost:11434
  mllmrec describe shop.ws --store postgres://db/mllmrec --workers      # elsewhere`,
		Args: cobra.NoArgs,
	}
	cmd.AddCommand(a.withdrawCmd())
	f := cmd.Flags()
	f.StringVar(&author.opt.Store, "store", "", "postgres:// address of the database (required)")
	f.StringVar(&author.opt.MLLM, "mllm", "ollama", "kind of the model servers: ollama or openai")
	author.addServers(cmd)
	f.BoolVar(&untilEmpty, "until-empty", false, "end when no questions are left, in place of waiting for more")
	required(cmd, "store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		opt, err := author.options()
		if err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		rep, err := pipeline.RunWorker(cmd.Context(), opt, untilEmpty, log, a.observer())
		if err != nil {
			return err
		}
		if a.json {
			return a.emit(rep)
		}
		fmt.Fprintf(a.stdout, "%d answers, %d quarantined\n", rep.Answered, rep.Quarantined)
		return nil
	}
	return cmd
}
