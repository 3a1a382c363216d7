package cli

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/pipeline"
)

func (a *app) workerCmd() *cobra.Command {
	var opt pipeline.AuthorOptions
	var hours float64
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
	f := cmd.Flags()
	f.StringVar(&opt.Store, "store", "", "postgres:// address of the database (required)")
	f.StringVar(&opt.MLLM, "mllm", "ollama", "kind of the model servers: ollama or openai")
	f.StringArrayVar(&opt.BaseURLs, "base-url", nil, "where the server is, as in 'mllmrec describe'; may be given several times")
	f.StringVar(&opt.KeyEnv, "api-key-env", "", "environment variable that holds the server's key")
	f.IntVar(&opt.Concurrency, "concurrency", 0, "requests in flight, a server (default 4)")
	f.Float64Var(&opt.RPM, "rpm", 0, "most requests a minute, a server")
	f.Float64Var(&opt.TPM, "tpm", 0, "most tokens a minute, a server")
	f.DurationVar(&opt.Timeout, "timeout", 0, "of one request")
	f.StringVar(&opt.KeepAlive, "keep-alive", "", "how long Ollama keeps the model loaded, such as 30m")
	f.Float64Var(&opt.MaxCost, "max-cost", 0, "stop before this worker costs more")
	f.Float64Var(&hours, "max-hours", 0, "stop after so many hours")
	f.StringVar(&opt.Prices, "prices", "", "price table to use in place of the built-in one")
	f.BoolVar(&untilEmpty, "until-empty", false, "end when no questions are left, in place of waiting for more")
	required(cmd, "store")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		opt.MaxTime = time.Duration(hours * float64(time.Hour))
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
