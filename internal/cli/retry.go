package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mllmrec/mllmrec/internal/pipeline"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// retryChanges are the options that a retry may change, by flag: those that have no part
// in the answers, so that it asks the same questions. Each copies its own.
var retryChanges = map[string]func(to, from *pipeline.AuthorOptions){
	"base-url":             func(to, from *pipeline.AuthorOptions) { to.BaseURLs = from.BaseURLs },
	"api-key-env":          func(to, from *pipeline.AuthorOptions) { to.KeyEnv = from.KeyEnv },
	"concurrency":          func(to, from *pipeline.AuthorOptions) { to.Concurrency = from.Concurrency },
	"rpm":                  func(to, from *pipeline.AuthorOptions) { to.RPM = from.RPM },
	"tpm":                  func(to, from *pipeline.AuthorOptions) { to.TPM = from.TPM },
	"timeout":              func(to, from *pipeline.AuthorOptions) { to.Timeout = from.Timeout },
	"keep-alive":           func(to, from *pipeline.AuthorOptions) { to.KeepAlive = from.KeepAlive },
	"max-cost":             func(to, from *pipeline.AuthorOptions) { to.MaxCost = from.MaxCost },
	"max-hours":            func(to, from *pipeline.AuthorOptions) { to.MaxTime = from.MaxTime },
	"prices":               func(to, from *pipeline.AuthorOptions) { to.Prices = from.Prices },
	"attempts":             func(to, from *pipeline.AuthorOptions) { to.Attempts = from.Attempts },
	"store":                func(to, from *pipeline.AuthorOptions) { to.Store = from.Store },
	"workers":              func(to, from *pipeline.AuthorOptions) { to.Workers = from.Workers },
	"limit":                func(to, from *pipeline.AuthorOptions) { to.Limit = from.Limit },
	"image-dir":            func(to, from *pipeline.AuthorOptions) { to.Pictures.Dir = from.Pictures.Dir },
	"image-timeout":        func(to, from *pipeline.AuthorOptions) { to.Pictures.Timeout = from.Pictures.Timeout },
	"allow-private-images": func(to, from *pipeline.AuthorOptions) { to.Pictures.AllowPrivate = from.Pictures.AllowPrivate },
}

func (a *app) retryCmd(stage string) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "retry WS",
		Short: "Ask again about what failed, with the options of the last run",
		Long: `Retry goes through a finished stage again, with the options that the last run had but for
those given here, and asks about everything that has no good answer: quarantined answers
with a changed seed, pictures that could not be read, what a --limit left over. Limits of
cost and time, --store and --workers hold for one run only: give them again.

What decides an answer, such as the model or the prompts, cannot be changed here: that
would ask about everything. Run the stage's command again for it.`,
		Args: cobra.ExactArgs(1),
	}
	author := &authorFlags{}
	author.addServers(cmd)
	author.addSharing(cmd)
	author.addLimit(cmd)
	if stage == workspace.StageDescribe {
		author.addPictureSources(cmd)
	}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		given, err := author.options()
		if err != nil {
			return err
		}
		p, release, err := a.openForWriting(args[0], true)
		if err != nil {
			return err
		}
		defer release()
		change := func(opt *pipeline.AuthorOptions) {
			cmd.Flags().Visit(func(f *pflag.Flag) {
				if copyTo := retryChanges[f.Name]; copyTo != nil { // else a flag of all commands
					copyTo(opt, &given)
				}
			})
		}
		if err := p.Retry(cmd.Context(), stage, change); err != nil {
			return err
		}
		return a.printStage(p, stage)
	}
	return cmd
}
