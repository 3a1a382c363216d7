package asking

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
	"github.com/mllmrec/mllmrec/internal/texts/queue/modelspec"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Shared is a ledger that many machines share, with the queue in it, for those who look
// at it from outside: it makes no tables.
type Shared struct{ pool *pgxpool.Pool }

const sameStore = "Give the address that the stages were given."

// OpenShared connects to the database at a postgres:// address.
func OpenShared(ctx context.Context, address string) (*Shared, error) {
	if !backend.IsPostgres(address) {
		return nil, notPostgres(sameStore)
	}
	pool, err := pg.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	return &Shared{pool}, nil
}

// Close closes all connections.
func (s *Shared) Close() { s.pool.Close() }

// Queue looks at the queue of questions and the workers.
func (s *Shared) Queue(ctx context.Context) (*queue.State, error) { return queue.Status(ctx, s.pool) }

// Withdraw takes back the questions of a stage ("" = of both) that no worker has begun:
// those that ws asks, or everybody's if ws is nil.
func (s *Shared) Withdraw(ctx context.Context, name string, ws *workspace.Workspace) (queue.Withdrawn, error) {
	switch name {
	case "", workspace.StageDescribe, workspace.StageReason:
	default:
		return queue.Withdrawn{}, usererr.New("Use describe or reason, or leave it out for both.", "unknown stage %q", name)
	}
	owner := ""
	if ws != nil {
		owner = Owner(ws)
	}
	return queue.Withdraw(ctx, s.pool, name, owner)
}

// Owner is the name under which a workspace queues questions. Copies of a workspace ask
// the same ones, so they share it.
func Owner(ws *workspace.Workspace) string { return ws.Manifest().SplitHash }

// count counts what the shared ledger has of a stage for a workspace. Preferences carry
// the split they were made from; descriptions belong to none, so there it is the names of
// the items that tell workspaces apart.
func (s *Shared) count(ctx context.Context, ws *workspace.Workspace, name, model string) (postgres.Tally, error) {
	sel := postgres.Selection{Stage: name, Model: model, SplitHash: ws.Manifest().SplitHash}
	if name == workspace.StageDescribe {
		items, err := ws.Items()
		if err != nil {
			return postgres.Tally{}, err
		}
		sel.SplitHash, sel.Subjects = "", make([]string, len(items))
		for i, it := range items {
			sel.Subjects[i] = it.ID
		}
	}
	return postgres.Count(ctx, s.pool, sel)
}

// LeftToWorkers is the error of a coordinator that was stopped: those who do the work
// were not.
type LeftToWorkers struct {
	Stage string
	Err   error
}

// Error says that the work goes on.
func (e *LeftToWorkers) Error() string {
	return "stopped waiting; workers go on with what is queued: " + e.Err.Error()
}

func (e *LeftToWorkers) Unwrap() error { return e.Err }

// Leave says of a coordinator that was stopped what becomes of the work.
func Leave(name string, b *backend.Backend, err error) error {
	if b.Shared.Workers && errors.Is(err, context.Canceled) {
		return &LeftToWorkers{name, err}
	}
	return err
}

// Coordinator returns the coordinator's side of the workers that share a store.
func Coordinator(ctx context.Context, store texts.Store) (*queue.Coordinator, error) {
	shared, ok := store.(*postgres.Store)
	if !ok {
		return nil, usererr.New("Give the address of the database that workers share.", "%s has no effect without a shared ledger in %s",
			usererr.Option("workers"), usererr.Option("store"))
	}
	return queue.New(ctx, shared, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// Job says to workers which model is to answer, and notes that a stage of so many texts
// begins.
func Job(s *stage.Session, b *backend.Backend, name string, total int, opt writer.Options) (queue.JobOptions, error) {
	spec, err := modelspec.Of(opt)
	if err != nil {
		return queue.JobOptions{}, err
	}
	noteBegun(s.WS, name, b, total)
	start := time.Now()
	return queue.JobOptions{Spec: spec, Owner: Owner(s.WS), Progress: func(g queue.Progress) {
		message := fmt.Sprintf("texts · %d workers", g.Workers)
		if g.Note != "" {
			message += " · " + g.Note
		}
		if g.Workers == 0 {
			message += " · start some on machines that reach the model"
		}
		s.Emit(stage.Event{Stage: name, Done: g.Settled, Total: g.Questions, Elapsed: time.Since(start), Message: message})
	}}, nil
}
