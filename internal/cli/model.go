package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/encoder/hub"
	"github.com/mllmrec/mllmrec/internal/encoder/sentence"
	"github.com/mllmrec/mllmrec/internal/encoder/transformer"
	"github.com/mllmrec/mllmrec/internal/stage"
)

func (a *app) modelCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "model",
		Short: "Sentence encoders on this machine",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.modelPullCmd())
	return cmd
}

func (a *app) modelPullCmd() *cobra.Command {
	var opt hub.Options
	cmd := &cobra.Command{
		Use:   "pull NAME",
		Short: "Bring a sentence encoder from the Hugging Face hub",
		Long: `Pull brings a model from the Hugging Face hub into the cache that the Python tools share,
checks every file against the hub's hash, and prints the model's folder. What is there
is not fetched again; a broken pull resumes. The small files come first: a model that
this program cannot run is refused before its weights are fetched.

Models that run, by model_type in their config.json: ` + transformer.Architectures() + `; and static
embeddings (model2vec, StaticEmbedding of Sentence-Transformers).

Environment: HF_ENDPOINT (a mirror), HF_TOKEN (private and gated models), HF_HUB_CACHE or
HF_HOME (where the cache is), HF_HUB_OFFLINE=1 (never use the network).`,
		Example: "  mllmrec model pull " + hub.DefaultModel,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := hub.RepoName(args[0])
			if err != nil {
				return err
			}
			opt.Progress, opt.Check = pullProgress(a.observer()), sentence.Check
			dir, err := hub.Pull(cmd.Context(), name, opt)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(map[string]string{"model": name, "dir": dir})
			}
			fmt.Fprintln(a.stdout, dir)
			return nil
		},
	}
	cmd.Flags().StringVar(&opt.Revision, "revision", "", "branch, tag or commit (default main)")
	cmd.Flags().StringVar(&opt.CacheDir, "dir", "", "cache folder (default: HF_HUB_CACHE, else hub in HF_HOME, else ~/.cache/huggingface/hub)")
	return cmd
}

// pullProgress shows bytes as progress; nil observes nothing.
func pullProgress(observe stage.Observer) func(hub.Progress) {
	if observe == nil {
		return nil
	}
	return func(p hub.Progress) {
		e := stage.Event{Stage: "pull", End: p.Done == p.Total}
		switch {
		case p.Cached:
			e.Message = fmt.Sprintf("%s is there already", p.File)
		case e.End:
			e.Message = fmt.Sprintf("%s, %s", p.File, size(p.Total))
		default:
			e.Message = fmt.Sprintf("%s: %s of %s (%.0f %%)", p.File, size(p.Done), size(p.Total), 100*float64(p.Done)/float64(p.Total))
		}
		observe(e)
	}
}

// size formats bytes for people.
func size(n int64) string {
	if n < 1_000_000 {
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
