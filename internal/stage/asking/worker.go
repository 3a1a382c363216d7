package asking

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
	"github.com/mllmrec/mllmrec/internal/texts/queue/modelspec"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// stageWorker is the stage under which a worker reports.
const stageWorker = "worker"

// RunWorker answers questions that coordinators put into a database, by the servers that
// opt names, until ctx is cancelled, or with untilEmpty until there are none. Which
// model answers, and to which prompts, comes with each question.
func RunWorker(ctx context.Context, opt backend.Options, untilEmpty bool, log *slog.Logger, observe stage.Observer) (texts.Report, error) {
	switch {
	case !backend.IsPostgres(opt.Shared.Store):
		return texts.Report{}, notPostgres(sameStore)
	case opt.MLLM != connect.Ollama && opt.MLLM != connect.OpenAI:
		return texts.Report{}, usererr.New("Use ollama or openai.", "a worker cannot ask %s %q", usererr.Option("mllm"), opt.MLLM)
	}
	b, pool, err := backend.Connect(opt)
	if err != nil {
		return texts.Report{}, err
	}
	start := time.Now()
	return queue.RunWorker(ctx, opt.Shared.Store, queue.WorkerOptions{
		Describer: modelspec.Describers(pool, opt.Servers.Timeout), Reasoner: modelspec.Reasoners(pool, opt.Servers.Timeout), DescribeServers: pool.Describe,
		Concurrency: pool.Capacity(), Grace: -1, UntilEmpty: untilEmpty, Log: log,
		Progress: func(r texts.Report) {
			if observe == nil {
				return
			}
			message := fmt.Sprintf("%d answers, %d quarantined", r.Answered, r.Quarantined)
			if f := classes(b.Failures(r.Classes)); f != "" {
				message += " · failures: " + f
			}
			observe(stage.Event{Stage: stageWorker, Message: message, Elapsed: time.Since(start)})
		},
	})
}

// Query says which answers of the ledger are wanted.
type Query struct {
	Stage   string
	Subject string // "" = all
	Status  string // texts.StatusOK, texts.StatusQuarantined, "" = both
	Limit   int    // at most so many
	Store   string // address of a shared ledger; "" = the workspace's own
}

// ErrEnough stops the reading of a ledger.
var ErrEnough = errors.New("enough")

// Find returns answers of the ledger by subject, and whether there are more.
func Find(ctx context.Context, ws *workspace.Workspace, q Query) (list []texts.Generation, more bool, err error) {
	switch q.Status {
	case "", texts.StatusOK, texts.StatusQuarantined:
	default:
		return nil, false, usererr.New("Use ok or quarantined.", "unknown status %q", q.Status)
	}
	store, err := OpenLedger(ctx, ws, q.Store)
	if err != nil {
		return nil, false, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	list = []texts.Generation{}
	take := func(g texts.Generation) error {
		if q.Status != "" && g.Status != q.Status {
			return nil
		}
		if len(list) >= q.Limit {
			more = true
			return ErrEnough
		}
		list = append(list, g)
		return nil
	}
	if q.Subject == "" {
		if err = store.Each(ctx, q.Stage, take); errors.Is(err, ErrEnough) {
			err = nil
		}
		return list, more, err
	}
	found, err := store.Find(ctx, q.Stage, q.Subject)
	for _, g := range found {
		if take(g) != nil {
			break
		}
	}
	return list, more, err
}
