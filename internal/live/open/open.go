// Package open opens the live state of a shop where a workspace or an address says.
package open

import (
	"context"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/postgres"
	"github.com/mllmrec/mllmrec/internal/live/sqlite"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Store opens the live state of the shop that is served from a workspace: the file in it, or,
// where address is not empty, the database at a postgres:// address.
func Store(ctx context.Context, ws *workspace.Workspace, address string) (*live.Store, error) {
	if address != "" {
		return postgres.Open(ctx, address, ws.Manifest().Name)
	}
	path, _, err := ws.LivePath()
	if err != nil {
		return nil, err
	}
	return sqlite.Open(ctx, path)
}
