package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/pipeline"
	"github.com/mllmrec/mllmrec/workspace"
)

// encodeFlags says how texts become vectors.
func encodeFlags(cmd *cobra.Command) *pipeline.EncodeOptions {
	opt := &pipeline.EncodeOptions{}
	cmd.Flags().StringVar(&opt.Encoder, "encoder", "lsa", "text encoder: lsa (offline, fitted on the item texts)")
	cmd.Flags().IntVar(&opt.Dim, "dim", 384, "dimensions of LSA vectors")
	cmd.Flags().Uint64Var(&opt.Seed, "encoder-seed", 1, "of LSA's randomized SVD")
	return opt
}

func (a *app) encodeCmd() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "encode WS",
		Short: "Turn texts into vectors (Eq. 5, 13)",
		Args:  cobra.ExactArgs(1),
	}
	enc := encodeFlags(cmd)
	cmd.Flags().BoolVar(&force, "force", false, "encode anew though the vectors are fresh, or replace imported ones")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, release, err := a.openForWriting(args[0], force)
		if err != nil {
			return err
		}
		defer release()
		if err := p.Encode(cmd.Context(), *enc); err != nil {
			return err
		}
		return a.printStage(p, workspace.StageEncode)
	}
	return cmd
}

// printStage prints, for machines, how a stage stands; people have seen its progress
// line.
func (a *app) printStage(p *pipeline.Pipeline, name string) error {
	st, ok := p.WS.Manifest().Stages[name]
	if !ok {
		return fmt.Errorf("stage %s left no record", name)
	}
	if !a.json {
		return nil
	}
	return a.emit(map[string]any{"stage": name, "finished": st.Finished, "seconds": st.Seconds, "provenance": st.Provenance,
		"leaky": st.Leaky, "options": st.Options, "info": st.Info, "outputs": st.Outputs})
}
