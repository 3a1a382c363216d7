package cli

import (
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/stage/piloting"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// pilotFlags ask what the texts of all users would be worth.
type pilotFlags struct {
	users int
	run   string
}

func (f *pilotFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.IntVar(&f.users, "sample-users", 0, "number of users to ask about, to estimate what all would be worth to a hybrid run")
	flags.StringVar(&f.run, "run", "", "with --sample-users: id of the hybrid run (default: the one made or chosen last)")
	for _, name := range []string{"sample-users", "run"} {
		flags.Lookup(name).Annotations = map[string][]string{groupNote: {aheadGroup}}
	}
}

func (f *pilotFlags) wanted() bool { return f.users != 0 || f.run != "" }

// pilot asks about some users and prints what their texts are worth.
func (a *app) pilot(cmd *cobra.Command, dir string, f pilotFlags, beside bool, opt reasoning.Options) error {
	switch {
	case f.users == 0:
		return usererr.New("Give --sample-users too.", "--run has no effect without --sample-users")
	case beside:
		return usererr.New("Give --sample-users alone.", "--sample-users goes with none of --estimate, --tokens-per-second, --sample, --page and --force")
	case opt.Limit != 0:
		return usererr.New("Give the smaller number as --sample-users.", "--limit has no effect with --sample-users")
	case opt.Writer.Shared.Workers:
		return usererr.New("Leave it out.", "--workers has no effect with --sample-users: this process asks by itself")
	}
	s, err := a.open(dir)
	if err != nil {
		return err
	}
	release, err := s.WS.Lock()
	if err != nil {
		return err
	}
	defer release()
	p, err := piloting.Run(cmd.Context(), s, opt, f.run, f.users)
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(p)
	}
	printPilot(a.stdout, p)
	return nil
}

func printPilot(w io.Writer, p *piloting.Pilot) {
	fmt.Fprintf(w, "run %s: valid R@20 %.4f without preference texts, over %d users of %d\n", p.Run, p.Without, p.Answered, p.Known)
	if p.Answered < p.Users {
		fmt.Fprintf(w, "%d of the %d users asked about have no usable text and are left out\n", p.Users-p.Answered, p.Users)
	}
	fmt.Fprintln(w)
	rows := [][]string{worthRow("by "+p.By, p.Texts)}
	if p.Rules != nil {
		rows = append(rows, worthRow("by plain rules, for nothing", *p.Rules),
			[]string{"the model over the rules", fmt.Sprintf("%+.4f", p.Over.Difference), fmt.Sprintf("%+.4f to %+.4f", p.Over.Low, p.Over.High), "", ""})
	}
	table(w, []string{"preference texts", "gain in R@20", "95 % interval", "smallest gain found", "weights"}, rows)
	fmt.Fprintf(w, "\n%s\n", verdict(p))
	if p.New > 0 && p.Seconds > 0 {
		share := float64(p.Known) / float64(p.New)
		fmt.Fprintf(w, "These %d answers took %.0f s and %d + %d tokens; all %d users would take about %s and %s tokens.\n", p.New, p.Seconds,
			p.PromptTokens, p.AnswerTokens, p.Known, hours(share*p.Seconds), count(share*float64(p.PromptTokens+p.AnswerTokens)))
	}
}

func worthRow(by string, w piloting.Worth) []string {
	return []string{by, fmt.Sprintf("%+.4f", w.Gain.Difference), fmt.Sprintf("%+.4f to %+.4f", w.Gain.Low, w.Gain.High),
		fmt.Sprintf("%.4f", w.Smallest), fmt.Sprintf("%g and %g", w.Weights[0], w.Weights[1])}
}

// worthAsking is the gain in Recall@20 that a pilot is told to be large enough for: about what the
// best single view of choices adds to the others.
const worthAsking = 0.005

// verdict says in words what a pilot found.
func verdict(p *piloting.Pilot) string {
	gain := p.Texts.Gain
	paid := gain
	against := "no texts at all"
	if p.Over != nil {
		paid, against = *p.Over, "what plain rules write for nothing"
	}
	switch {
	case paid.Low > 0:
		return fmt.Sprintf("The texts help: at least %.4f more than %s, with 95 %% confidence.", paid.Low, against)
	case paid.High < worthAsking:
		return fmt.Sprintf("All texts together can hardly be worth more than %.4f over %s: keep the money.", math.Max(paid.High, 0), against)
	}
	s := fmt.Sprintf("This sample cannot tell the texts from %s: the truth may be anywhere in the interval.", against)
	if n := p.Texts.UsersFor(worthAsking); n > p.Users {
		s += fmt.Sprintf(" A gain of %g would be seen, four times in five, from about %d users.", worthAsking, n)
	}
	return s
}

func hours(seconds float64) string {
	if seconds < 2*3600 {
		return fmt.Sprintf("%.0f minutes", math.Ceil(seconds/60))
	}
	return fmt.Sprintf("%.1f hours", seconds/3600)
}

func count(n float64) string {
	if n >= 1e6 {
		return fmt.Sprintf("%.1f million", n/1e6)
	}
	return fmt.Sprintf("%.0f", n)
}
