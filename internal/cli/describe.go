package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/stage/describing"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) describeCmd() *cobra.Command {
	var force bool
	var ahead aheadFlags
	var opt describing.Options
	cmd := &cobra.Command{
		Use:   "describe WS",
		Short: "Write every item's text: metadata and picture (Eq. 1–2)",
		Long: `Describe asks a multimodal model for a description of every item's picture and joins it to
the item's own words. Every answer is kept as it comes, in the workspace's ledger, and
never asked for again; the same command goes on where it was stopped. Items whose
picture cannot be read keep their words. Answers that are no good are asked for again
with another seed, then quarantined: a marked offline text stands in, and the next run
tries again.`,
		Example: `  mllmrec describe shop.ws                                    # Ollama on this machine, gemma3:27b
  mllmrec describe shop.ws --mllm openai --base-url http://gpu1:8000/v1 --mllm-model google/gemma-3-27b-it --concurrency 64
  mllmrec describe shop.ws --estimate                         # tokens, cost, hours; asks nothing
  mllmrec describe shop.ws --sample 20 --mllm-model gemma3:27b --mllm-model gemma3:12b
  mllmrec describe show shop.ws --status quarantined
  mllmrec describe shop.ws --mllm offline                     # no model`,
		Args: cobra.ExactArgs(1),
	}
	set := option.Of(&opt.Writer, &opt.Pictures, &opt.Parts)
	limitFlag(cmd, &opt.Limit)
	ahead.add(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "go through all items though the stage is fresh; stored answers are not asked again")
	bind(cmd, set)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if opt.Parts.Silent() {
			set.Forbid(set.Names(&opt.Writer, &opt.Pictures), "Leave it out.", "on item texts of words alone, about which nobody is asked")
		}
		if err := a.checkAsking(set, opt.Limit); err != nil {
			return err
		}
		if ahead.wanted() {
			if err := opt.Parts.RefuseAhead(); err != nil {
				return err
			}
			return a.lookAhead(cmd, args[0], workspace.StageDescribe, ahead, opt.Writer, look{
				estimate: func(s *stage.Session) (*asking.Estimate, error) {
					return describing.Estimate(cmd.Context(), s, opt, ahead.rate)
				},
				sample: func(s *stage.Session) (*writer.Sheet, error) {
					return describing.Sample(cmd.Context(), s, ahead.sample, opt)
				},
			})
		}
		return a.make(cmd, args[0], force, func(s *stage.Session) ([]stage.Stage, error) {
			if err := refuseTexts(s.WS, workspace.StageDescribe, force); err != nil {
				return nil, err
			}
			st, err := describing.New(opt)
			return []stage.Stage{st}, err
		})
	}
	cmd.AddCommand(a.showCmd(workspace.StageDescribe), a.retryCmd(workspace.StageDescribe))
	return cmd
}

// refuseTexts fails where a stage about texts would have no effect, because vectors came
// with the data, unless the user insists.
func refuseTexts(ws *workspace.Workspace, name string, force bool) error {
	if force {
		return nil
	}
	return importing.RefuseTexts(ws, name)
}
