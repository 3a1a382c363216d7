package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// open returns a session on a workspace, for reading.
func (a *app) open(dir string) (*stage.Session, error) { return a.openFor(dir, a.observer()) }

// openFor is open for who wants to see the session's events.
func (a *app) openFor(dir string, observe stage.Observer) (*stage.Session, error) {
	a.dir = dir
	ws, err := workspace.Open(dir)
	if err != nil {
		return nil, err
	}
	return stage.NewSession(ws, observe), nil
}

// openForWriting takes the workspace's lock too.
func (a *app) openForWriting(dir string) (*stage.Session, func(), error) {
	s, err := a.open(dir)
	if err != nil {
		return nil, nil, err
	}
	release, err := s.WS.Lock()
	if err != nil {
		return nil, nil, err
	}
	return s, release, nil
}

// make has one stage make its artefact and prints, for machines, how the stage stands;
// people have seen its progress line.
func (a *app) make(cmd *cobra.Command, dir string, force bool, build func(*stage.Session) ([]stage.Stage, error)) error {
	s, release, err := a.openForWriting(dir)
	if err != nil {
		return err
	}
	defer release()
	stages, err := build(s)
	if err != nil {
		return err
	}
	e := stage.NewEngine(s, stages...)
	e.Force = force
	for _, st := range stages {
		if _, err := e.Make(cmd.Context(), st.Makes()); err != nil {
			return err
		}
	}
	return a.printStage(s.WS, stages[0].Name())
}

// printStage prints, for machines, how a stage stands.
func (a *app) printStage(ws *workspace.Workspace, name string) error {
	if !a.json {
		return nil
	}
	for _, st := range stage.StatusOf(ws) {
		if st.Stage != name || st.Finished == nil {
			continue
		}
		outputs := map[string]string{}
		for _, address := range st.Addresses {
			made, _ := ws.Artefact(address)
			for _, f := range made.Files {
				outputs[f.Path] = f.SHA256
			}
		}
		return a.emit(map[string]any{"stage": name, "addresses": st.Addresses, "finished": st.Finished, "seconds": st.Seconds, "provenance": st.Provenance,
			"leaky": st.Leaky, "options": st.Options, "info": st.Info, "outputs": outputs})
	}
	return fmt.Errorf("stage %s left no record", name)
}
