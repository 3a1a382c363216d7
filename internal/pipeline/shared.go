package pipeline

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Shared is a ledger that many machines share, with the queue in it, for those who look
// at it from outside: it makes no tables.
type Shared struct{ pool *pgxpool.Pool }

// OpenShared connects to the database at a postgres:// address.
func OpenShared(ctx context.Context, address string) (*Shared, error) {
	if !isPostgres(address) {
		return nil, usererr.New("Give the address that describe and reason were given.", "--store is no postgres:// address")
	}
	pool, err := postgres.Connect(ctx, address)
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
func (s *Shared) Withdraw(ctx context.Context, stage string, ws *workspace.Workspace) (queue.Withdrawn, error) {
	switch stage {
	case "", workspace.StageDescribe, workspace.StageReason:
	default:
		return queue.Withdrawn{}, usererr.New("Use describe or reason, or leave it out for both.", "unknown --stage %q", stage)
	}
	owner := ""
	if ws != nil {
		owner = Owner(ws)
	}
	return queue.Withdraw(ctx, s.pool, stage, owner)
}

// Owner is the name under which a workspace queues questions. Copies of a workspace ask
// the same ones, so they share it.
func Owner(ws *workspace.Workspace) string { return ws.Manifest().SplitHash }

// countShared counts what the shared ledger has of a stage for a workspace. Preferences carry
// the split they were made from; descriptions belong to none, so there it is the names of
// the items that tell workspaces apart.
func (p *Pipeline) countShared(ctx context.Context, s *Shared, stage, model string) (postgres.Tally, error) {
	sel := postgres.Selection{Stage: stage, Model: model, SplitHash: p.WS.Manifest().SplitHash}
	if stage == workspace.StageDescribe {
		items, err := p.WS.Items()
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
	Stage, Workspace string
	Err              error
}

// Error tells that the work goes on.
func (e *LeftToWorkers) Error() string {
	return "stopped waiting; workers go on with what is queued: " + e.Err.Error()
}

func (e *LeftToWorkers) Unwrap() error { return e.Err }

// Hint names the ways on.
func (e *LeftToWorkers) Hint() string {
	return "Run the same command again to collect their answers, or take back what no worker has begun: mllmrec worker withdraw " +
		e.Workspace + " --stage " + e.Stage + " --store postgres://…"
}

// leave says of a coordinator that was stopped what becomes of the work.
func (p *Pipeline) leave(stage string, opt AuthorOptions, err error) error {
	if opt.Workers && errors.Is(err, context.Canceled) {
		return &LeftToWorkers{stage, p.WS.Dir(), err}
	}
	return err
}
