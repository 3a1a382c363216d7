package cli

import (
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mllmrec/mllmrec/internal/pipeline"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// open returns the pipeline over a workspace, for reading.
func (a *app) open(dir string) (*pipeline.Pipeline, error) {
	ws, err := workspace.Open(dir)
	if err != nil {
		return nil, err
	}
	return &pipeline.Pipeline{WS: ws, Observe: a.observer()}, nil
}

// openForWriting takes the workspace's lock too.
func (a *app) openForWriting(dir string, force bool) (*pipeline.Pipeline, func(), error) {
	p, err := a.open(dir)
	if err != nil {
		return nil, nil, err
	}
	p.Force = force
	release, err := p.WS.Lock()
	if err != nil {
		return nil, nil, err
	}
	return p, release, nil
}

// changedFlags names the flags that the user gave.
func changedFlags(cmd *cobra.Command) map[string]bool {
	changed := map[string]bool{}
	cmd.Flags().Visit(func(f *pflag.Flag) { changed[f.Name] = true })
	return changed
}
