package answering

import (
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// ItemVectorsOf is the address of the vectors that say which items of a run are alike.
func ItemVectorsOf(ws *workspace.Workspace, run string) string {
	return (&Engine{session: stage.NewSession(ws, nil), Address: run}).itemVectors()
}
