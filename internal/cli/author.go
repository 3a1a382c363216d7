package cli

import (
	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/pipeline"
)

func encodeFlags(cmd *cobra.Command) *pipeline.EncodeOptions {
	opt := &pipeline.EncodeOptions{}
	cmd.Flags().StringVar(&opt.Encoder, "encoder", "lsa", "text encoder: lsa (offline, fitted on the item texts)")
	cmd.Flags().IntVar(&opt.Dim, "dim", 384, "dimensions of LSA vectors")
	cmd.Flags().Uint64Var(&opt.Seed, "encoder-seed", 1, "of LSA's randomized SVD")
	return opt
}
func authorFlags(cmd *cobra.Command) *pipeline.AuthorOptions {return &pipeline.AuthorOptions{}}
func preferenceFlags(cmd *cobra.Command) *pipeline.PreferenceOptions {return &pipeline.PreferenceOptions{}}
func (a *app) describeCmd() *cobra.Command { return &cobra.Command{Use:"describe"}}
func (a *app) reasonCmd() *cobra.Command { return &cobra.Command{Use:"reason"}}
func (a *app) encodeCmd() *cobra.Command { return &cobra.Command{Use:"encode"}}
func (a *app) demoCmd() *cobra.Command { return &cobra.Command{Use:"demo"}}
func (a *app) graphStatsCmd() *cobra.Command { return &cobra.Command{Use:"stats"}}
func (a *app) emitStage(p *pipeline.Pipeline, s string) error { return nil }
