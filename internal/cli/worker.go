package cli

import (
	"fmt"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
)

func (a *app) workerCmd() *cobra.Command {
	var opt backend.Options
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
	set := option.Of(&opt)
	cmd.Flags().BoolVar(&untilEmpty, "until-empty", false, "end when no questions are left, in place of waiting for more")
	bind(cmd, set, "mllm-model", "prompts", "words", "max-tokens", "script", "temperature", "model-seed", "num-ctx", "think", "extra-body", "attempts", "spool", "workers")
	required(cmd, "store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := a.check(set); err != nil {
			return err
		}
		log := slog.New(slog.NewTextHandler(a.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
		rep, err := asking.RunWorker(cmd.Context(), opt, untilEmpty, log, a.observer())
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
