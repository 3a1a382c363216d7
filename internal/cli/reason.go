package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) reasonCmd() *cobra.Command {
	var force bool
	var ahead aheadFlags
	var pilot pilotFlags
	var opt reasoning.Options
	cmd := &cobra.Command{
		Use:   "reason WS",
		Short: "Write every user's preference from train interactions (Eq. 3–4)",
		Long: `Reason asks a model for every user's preference, from the texts of the train items only:
the model never sees an item that the recommender will be tested on. Answers are kept,
checked, tried again and quarantined as 'mllmrec describe' does.

A history too long for the model's window is read in parts, in time order, each part
with the conclusion so far; or cut to its latest items with --long-history latest, and
then only the items shown are stored as the answer's sources.

--sample-users N asks about N users only and estimates what all would be worth: how much
Recall@20 on validation a hybrid run gains from their texts, with a 95 % interval over
users, beside what plain rules write for nothing. Train that run first, with --mllm
offline. The answers are kept: the whole stage does not ask for them again.`,
		Example: `  mllmrec reason shop.ws                                      # Ollama on this machine, gemma3:27b
  mllmrec reason shop.ws --folds 5 --folds-for 10 --estimate  # what cross-fitting would cost
  mllmrec reason shop.ws --mllm openai --mllm-model gpt-4o-mini --base-url https://api.openai.com/v1 --max-cost 20
  mllmrec reason shop.ws --sample-users 500                   # what would it be worth? asks about 500 users
  mllmrec reason show shop.ws --user u42`,
		Args: cobra.ExactArgs(1),
	}
	set := option.Of(&opt.Writer, &opt.Long, &opt.Preference)
	limitFlag(cmd, &opt.Limit)
	ahead.add(cmd)
	pilot.add(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "go through all users though the stage is fresh; stored answers are not asked again")
	bind(cmd, set)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := a.checkAsking(set, opt.Limit); err != nil {
			return err
		}
		if pilot.wanted() {
			return a.pilot(cmd, args[0], pilot, ahead.wanted() || force, opt)
		}
		if ahead.wanted() {
			return a.lookAhead(cmd, args[0], workspace.StageReason, ahead, opt.Writer, look{
				estimate: func(s *stage.Session) (*asking.Estimate, error) {
					return reasoning.Estimate(cmd.Context(), s, opt, ahead.rate)
				},
				sample: func(s *stage.Session) (*writer.Sheet, error) {
					return reasoning.Sample(cmd.Context(), s, ahead.sample, opt)
				},
			})
		}
		return a.make(cmd, args[0], force, func(s *stage.Session) ([]stage.Stage, error) {
			if err := refuseTexts(s.WS, workspace.StageReason, force); err != nil {
				return nil, err
			}
			st, err := reasoning.New(opt)
			return []stage.Stage{st}, err
		})
	}
	cmd.AddCommand(a.showCmd(workspace.StageReason), a.retryCmd(workspace.StageReason))
	return cmd
}
