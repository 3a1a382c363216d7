package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/stage/batching"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) batchCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "batch",
		Short: "Ask through files: OpenAI's batch service, or vllm run-batch",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.batchExportCmd(), a.batchImportCmd())
	return cmd
}

func (a *app) batchExportCmd() *cobra.Command {
	opt := &batching.Options{}
	cmd := &cobra.Command{
		Use:   "export WS",
		Short: "Write the questions of a stage that have no answer yet as batch files",
		Long: `Export writes JSON lines as OpenAI's batch service and 'vllm run-batch' read them, at most
50,000 requests and 200 MB a file. The workspace remembers what was exported, so that
'mllmrec batch import' finds the place of every answer. Histories that are read in parts
are left to 'mllmrec reason'.`,
		Example: `  mllmrec batch export shop.ws --stage describe --mllm-model gpt-4o-mini --out todo
  vllm run-batch -i todo/describe-00001.jsonl -o done.jsonl --model google/gemma-3-27b-it
  mllmrec batch import shop.ws done.jsonl`,
		Args: cobra.ExactArgs(1),
	}
	set := opt.Set()
	limitFlag(cmd, &opt.Limit)
	cmd.Flags().StringVar(&opt.Stage, "stage", "", "describe or reason (required)")
	cmd.Flags().StringVar(&opt.Dir, "out", "", "folder to write into (required)")
	cmd.Flags().BoolVar(&opt.Body.CompletionTokens, "max-completion-tokens", false, "name the token limit as OpenAI's newer models demand")
	cmd.Flags().BoolVar(&opt.Body.OmitSampling, "omit-sampling", false, "leave out temperature and seed, which reasoning models reject")
	bind(cmd, set, batching.Unused(set)...)
	required(cmd, "stage", "out")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if opt.Stage == workspace.StageDescribe {
			set.Forbid(set.Names(&opt.Long, &opt.Preference), "It is about preferences.", "on descriptions")
		} else {
			set.Forbid(set.Names(&opt.Pictures), "It is about descriptions.", "on preferences")
		}
		if err := a.checkAsking(set, opt.Limit); err != nil {
			return err
		}
		s, release, err := a.openForWriting(args[0])
		if err != nil {
			return err
		}
		defer release()
		res, err := batching.Export(cmd.Context(), s, *opt)
		if err != nil {
			return err
		}
		if a.json {
			return a.emit(res)
		}
		for _, f := range res.Files {
			fmt.Fprintf(a.stdout, "%s: %d requests, %d bytes\n", f.Path, f.Requests, f.Bytes)
		}
		if len(res.Files) == 0 {
			fmt.Fprintln(a.stdout, "nothing to ask: every question has its answer")
		}
		if res.InParts > 0 {
			fmt.Fprintf(a.stdout, "%d histories do not fit one prompt and are left to 'mllmrec reason'\n", res.InParts)
		}
		for _, f := range res.Failed {
			fmt.Fprintf(a.stdout, "left out: %s: %s\n", f.Subject, f.Error)
		}
		return nil
	}
	return cmd
}

func (a *app) batchImportCmd() *cobra.Command {
	var store, onError string
	cmd := &cobra.Command{
		Use:   "import WS FILE…",
		Short: "Store the answers in result files of a batch service",
		Long: `Import takes result files in any order, whole or in parts, checks every answer as a run
does, stores it, and then writes the texts of the stage. Failed requests are counted by
class and stored; the next export or run asks about them again. Importing a file twice
is harmless.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if onError != "stop" && onError != "skip" {
				return usererr.New("Use stop or skip.", "unknown --on-error %q", onError)
			}
			s, release, err := a.openForWriting(args[0])
			if err != nil {
				return err
			}
			defer release()
			res, err := batching.Import(cmd.Context(), s, args[1:], store, onError == "skip")
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(res)
			}
			fmt.Fprintf(a.stdout, "%d lines: %d answers stored, %d known before, %d unknown ids, %d twice\n", res.Lines, res.Stored, res.Known, res.Unknown, res.Duplicates)
			for _, class := range slices.Sorted(maps.Keys(res.Failed)) {
				fmt.Fprintf(a.stdout, "failed: %s %d\n", class, res.Failed[class])
			}
			for _, bad := range res.BadLines {
				fmt.Fprintf(a.stdout, "skipped: %s\n", bad)
			}
			if res.Unanswered > 0 {
				fmt.Fprintf(a.stdout, "%d exported requests have no answer yet\n", res.Unanswered)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&store, "store", "", "postgres:// address of the ledger, if it is not the workspace's own")
	cmd.Flags().StringVar(&onError, "on-error", "stop", "what a line that cannot be read does: stop, or skip (counted and listed)")
	return cmd
}
