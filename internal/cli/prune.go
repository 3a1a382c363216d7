package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/stage"
)

func (a *app) pruneCmd() *cobra.Command {
	var dryRun bool
	var runs []string
	cmd := &cobra.Command{
		Use:   "prune WS",
		Short: "Remove texts, vectors and graphs that no run needs",
		Long: `Prune removes the artefacts that no run was made from and that commands do not use either,
and what killed processes left. All runs stay, unless --run names those to keep. The
data, every answer of a language model and the cache of vectors are never touched, so
that nothing that was paid for is lost.`,
		Example: `  mllmrec prune shop.ws --dry-run
  mllmrec prune shop.ws --run mllmrec-0ea3139b`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			s, err := a.open(args[0])
			if err != nil {
				return err
			}
			if !dryRun { // the lock alone would remove unfinished folders
				release, err := s.WS.Lock()
				if err != nil {
					return err
				}
				defer release()
			}
			p, err := stage.Prune(s.WS, runs, dryRun)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(map[string]any{"dry_run": dryRun, "removed": p.Removed, "leftovers": p.Leftovers, "bytes": p.Bytes, "kept": p.Kept})
			}
			a.printPruned(p, dryRun)
			return nil
		},
	}
	cmd.Flags().BoolVar(&dryRun, "dry-run", false, "say what would be removed, and remove nothing")
	cmd.Flags().StringArrayVar(&runs, "run", nil, "id of a run to keep; others are removed (default: all runs are kept); may be repeated")
	return cmd
}

func (a *app) printPruned(p *stage.Pruned, dryRun bool) {
	verb := "removed"
	if dryRun {
		verb = "would remove"
	}
	for _, address := range p.Removed {
		fmt.Fprintf(a.stdout, "%s %s\n", verb, address)
	}
	for _, left := range p.Leftovers {
		fmt.Fprintf(a.stdout, "%s %s (left by a killed process)\n", verb, left)
	}
	if len(p.Removed)+len(p.Leftovers) == 0 {
		fmt.Fprintf(a.stdout, "nothing to remove: all %d artefacts are needed or in use\n", len(p.Kept))
		return
	}
	fmt.Fprintf(a.stdout, "%s %s in %d artefacts; %d are kept\n", verb, size(p.Bytes), len(p.Removed)+len(p.Leftovers), len(p.Kept))
}
