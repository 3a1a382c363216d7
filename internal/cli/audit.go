package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage/auditing"
)

func (a *app) auditCmd() *cobra.Command {
	var opt auditing.Options
	cmd := &cobra.Command{
		Use:   "audit WS",
		Short: "Prove that no test interaction reached the model, or show that one did",
		Long: `Audit checks the stored provenance of every preference text: each source interaction must
exist, belong to that user, be labelled train, and stem from the split in use. Vectors
that were imported have no provenance; there audit probes whether user vectors sit
closer to held-out items than the user's train items explain.

It names every artefact from the interactions to the vectors and the current run, with
the hashes of its files and which interactions it saw. A file that is not, byte for byte,
what was recorded proves nothing: that is exit code 4. Some preference texts are encoded
again, by an encoder on this machine, to see that the vectors are theirs.

With --measure it also
trains once with all interactions shown (--history all) and says what that leak alone is worth.

Exit code 0: clean. 3: leaky. 4: not provable.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(args[0])
			if err != nil {
				return err
			}
			rep, err := auditing.Run(cmd.Context(), s, opt)
			if err != nil {
				return err
			}
			a.exit = rep.ExitCode()
			if a.json {
				return a.emit(rep)
			}
			a.printAudit(rep)
			return nil
		},
	}
	bind(cmd, option.Of(&opt))
	return cmd
}

func (a *app) printAudit(r *auditing.Report) {
	w := a.stdout
	fmt.Fprintf(w, "verdict: %s\n%s\n", r.Verdict, r.Sentence)
	fmt.Fprintln(w, "\nfrom the interactions to the answer, each file as it was recorded (SHA-256):")
	var path [][]string
	for _, s := range r.Path {
		path = append(path, s.Row())
	}
	table(w, []string{"artefact", "files", "saw"}, path)
	if e := r.Reencoded; e != nil && e.Checked > 0 {
		fmt.Fprintf(w, "\n%d preference texts encoded again: %d vectors differ from the stored ones\n", e.Checked, e.Differ)
	} else if e != nil {
		fmt.Fprintf(w, "\n%s\n", e.Note)
	}
	if p := r.Provenance; p != nil {
		fmt.Fprintf(w, "\nprovenance: %d texts of %d users, %d source interactions checked\n", p.Texts, p.Users, p.Sources)
		var rows [][]string
		for _, kind := range slices.Sorted(maps.Keys(p.Counts)) {
			rows = append(rows, []string{kind, fmt.Sprint(p.Counts[kind])})
		}
		if len(rows) > 0 {
			table(w, []string{"violation", "count"}, rows)
		}
	}
	if p := r.Probe; p != nil {
		fmt.Fprintln(w, "\nprobe: how much user vectors know of single held-out items, as a share of what they know of train items (0 honest, 1 leaky)")
		var rows [][]string
		for _, l := range p.Labels {
			rows = append(rows, []string{l.Label, fmt.Sprint(l.Users), l.Twins.Ratio.String(), l.Matches.Ratio.String(), string(l.Verdict)})
		}
		table(w, []string{"", "users", "against twins", "against matches", "verdict"}, rows)
		for _, c := range p.Caveats {
			fmt.Fprintln(w, "  "+c)
		}
	}
	if l := r.Leak; l != nil {
		fmt.Fprintf(w, "\n%s\n", l.Sentence)
		table(w, []string{"test", "R@10", "R@20", "N@10", "N@20"}, [][]string{
			metricRow("train only", l.TrainOnly), metricRow("leaky", l.Leaky)})
	}
}
