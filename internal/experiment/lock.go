package experiment

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// lockFile is in an experiment's folder. Its lock belongs to the process and ends with it, however that ends.
const lockFile = ".lock"

// lock makes this process the only one that runs the experiment in the folder: two would take each other's trials for
// failed ones.
func (x *Experiment) lock() (release func(), err error) {
	if err := os.MkdirAll(x.Dir, 0o755); err != nil {
		return nil, err
	}
	l := flock.New(filepath.Join(x.Dir, lockFile), flock.SetFlag(os.O_CREATE|os.O_RDWR), flock.SetPermissions(0o600))
	ok, err := l.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock the experiment %s: %w", x.Dir, err)
	case !ok:
		return nil, usererr.Of(usererr.KindLocked, "Wait until it has finished, or stop it.", "another process runs the experiment in %s", x.Dir)
	}
	return func() { l.Unlock() }, nil
}

// lockTrial takes the lock of a trial's workspace. Only one process runs an experiment, so that whoever holds the lock is a
// trial whose experiment was killed: it notices within a step of its own, which may take a while, and is
// waited for.
func lockTrial(ctx context.Context, ws *workspace.Workspace) (release func(), err error) {
	for {
		release, err := ws.Lock()
		var held *workspace.LockedError
		if !errors.As(err, &held) {
			return release, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
