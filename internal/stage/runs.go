package stage

import (
	"path"
	"strings"

	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// RunAddress returns the address of a finished run by its id, or of the current one for "".
func RunAddress(ws *workspace.Workspace, id string) (string, error) {
	if id == "" {
		address, _, ok := ws.Current(workspace.KindRun)
		if !ok {
			return "", usererr.NotReady(workspace.StageTrain, "Train one first.", "workspace %s has no finished run", ws.Dir())
		}
		return address, nil
	}
	address := path.Join(workspace.RunsFolder, id)
	if a, ok := ws.Artefact(address); ok && a.Kind == workspace.KindRun && !strings.Contains(id, "/") {
		return address, nil
	}
	return "", usererr.Of(usererr.KindUnknown, "The status of the workspace lists its runs.", "workspace %s has no run %q", ws.Dir(), id)
}
