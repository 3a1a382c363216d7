package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/uplift"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) abCmd() *cobra.Command {
	var base, store string
	var after int64
	cmd := &cobra.Command{
		Use:   "ab WS",
		Short: "What an A/B test of the served shop shows",
		Long: fmt.Sprintf(`Ab compares the arms of 'mllmrec serve --arm' by the feedback of their users: events of each
type a user, how many more than in the base, and a 95 %% interval (Welch's, over users). A user is
one who gave any feedback; who gave some in several arms, because the shares were changed, is left
out and counted. Below %d users or %d events of a type in either arm nothing is concluded.

Look when the test is over: who looks every day and stops at the first verdict finds differences
where there are none.`, uplift.MinUsers, uplift.MinEvents),
		Example: `  mllmrec serve shop.ws --arm base=hybrid-1f3a:90 --arm new=hybrid-77c0:10
  mllmrec ab shop.ws --base base`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ws, err := workspace.Open(args[0])
			if err != nil {
				return err
			}
			if err := haveFeedback(ws, store); err != nil {
				return err
			}
			return a.onLive(cmd, args[0], store, func(s *live.Store) error {
				c := uplift.NewCounter()
				err := s.EachEvent(cmd.Context(), after, func(e live.Event) error {
					c.Add(&e)
					return nil
				})
				if err != nil {
					return err
				}
				r, err := c.Result(base)
				if err != nil {
					return usererr.Wrap(err, "Arms are named by --arm of 'mllmrec serve'.")
				}
				if len(r.Arms) == 0 {
					return usererr.New("Serve with --arm first.", "no feedback of workspace %s comes from an arm", args[0])
				}
				if a.json {
					return a.emit(r)
				}
				a.printAB(r)
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&base, "base", "", "arm that the others are compared with (default: the first by name)")
	cmd.Flags().Int64Var(&after, "after", 0, "leave out the events up to this number, such as those of an earlier test")
	cmd.Flags().StringVar(&store, "store", "", storeOfShop)
	return cmd
}

func (a *app) printAB(r *uplift.Result) {
	head := []string{"arm", "users"}
	for _, t := range live.EventTypes {
		head = append(head, string(t)+"s")
	}
	var rows [][]string
	for _, arm := range r.Arms {
		row := []string{arm.Name, fmt.Sprint(arm.Users)}
		for _, t := range live.EventTypes {
			row = append(row, fmt.Sprint(arm.Events[t]))
		}
		rows = append(rows, row)
	}
	table(a.stdout, head, rows)
	if r.Both > 0 {
		fmt.Fprintf(a.stdout, "\n%d users were in several arms and are left out.\n", r.Both)
	}
	fmt.Fprintln(a.stdout)
	rows = nil
	for _, u := range r.Uplifts {
		verdict := u.Verdict
		if u.Why != "" {
			verdict += ": " + u.Why
		}
		rows = append(rows, []string{u.Arm, string(u.Type), fmt.Sprintf("%.3f", u.Mean), fmt.Sprintf("%.3f", u.BaseMean), fmt.Sprintf("%+.3f", u.Difference), fmt.Sprintf("%+.3f to %+.3f", u.Low, u.High), verdict})
	}
	table(a.stdout, []string{"arm", "type", "a user", "base", "more", "95 % interval", "verdict"}, rows)
}
