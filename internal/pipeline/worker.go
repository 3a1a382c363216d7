package pipeline

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
	"github.com/mllmrec/mllmrec/internal/texts/queue/modelspec"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// stageWorker is the stage under which a worker reports.
const stageWorker = "worker"

// RunWorker answers questions that coordinators put into a database, by the servers that
// opt names, until ctx is cancelled, or with untilEmpty until there are none. Which
// model answers, and to which prompts, comes with each question.
func RunWorker(ctx context.Context, opt AuthorOptions, untilEmpty bool, log *slog.Logger, observe Observer) (texts.Report, error) {
	switch {
	case !isPostgres(opt.Store):
		return texts.Report{}, usererr.New("Give the address that describe and reason were given.", "--store is no postgres:// address")
	case opt.MLLM != connect.Ollama && opt.MLLM != connect.OpenAI:
		return texts.Report{}, usererr.New("Use ollama or openai.", "a worker cannot ask --mllm %q", opt.MLLM)
	}
	prices, err := opt.prices()
	if err != nil {
		return texts.Report{}, err
	}
	pool, err := opt.connect(prices)
	if err != nil {
		return texts.Report{}, err
	}
	a := &author{opt: opt, client: pool, pool: pool}
	start := time.Now()
	return queue.RunWorker(ctx, opt.Store, queue.WorkerOptions{
		Describer: modelspec.Describers(pool, opt.Timeout), Reasoner: modelspec.Reasoners(pool, opt.Timeout), DescribeServers: pool.Describe,
		Concurrency: pool.Capacity(), Grace: -1, UntilEmpty: untilEmpty, Log: log,
		Progress: func(r texts.Report) {
			if observe == nil {
				return
			}
			message := fmt.Sprintf("%d answers, %d quarantined", r.Answered, r.Quarantined)
			if f := classes(a.failures(r.Classes)); f != "" {
				message += " · failures: " + f
			}
			observe(Event{Stage: stageWorker, Message: message, Elapsed: time.Since(start)})
		},
	})
}

// connect makes the pool of servers.
func (o AuthorOptions) connect(prices *mllm.PriceTable) (*mllm.Pool, error) {
	picture, listed := prices.PictureTokens(o.model())
	if !listed {
		picture = 0 // the client's own guess
	}
	return connect.Pool(connect.Options{PerImage: picture, Kind: o.MLLM, URLs: o.BaseURLs, KeyEnv: o.KeyEnv, Concurrency: o.Concurrency,
		RPM: o.RPM, TPM: o.TPM, Timeout: o.Timeout, KeepAlive: o.KeepAlive,
		Pool: mllm.PoolOptions{Budget: mllm.Budget{MaxCost: o.MaxCost, MaxTime: o.MaxTime, Prices: prices}}})
}

// openFleet returns the coordinator's side of the workers that share store.
func openFleet(ctx context.Context, store texts.Store) (*queue.Coordinator, error) {
	shared, ok := store.(*postgres.Store)
	if !ok {
		return nil, usererr.New("Give the database with --store postgres://…", "--workers has no effect without a shared ledger")
	}
	return queue.New(ctx, shared, slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// order tells workers which model is to answer, and begins a stage of so many texts.
func (p *Pipeline) order(stage string, a *author, total int, opt writer.Options) (queue.JobOptions, error) {
	spec, err := modelspec.Of(opt)
	if err != nil {
		return queue.JobOptions{}, err
	}
	p.noteBegun(stage, a, total)
	start := time.Now()
	return queue.JobOptions{Spec: spec, Owner: Owner(p.WS), Progress: func(g queue.Progress) {
		message := fmt.Sprintf("texts · %d workers", g.Workers)
		if g.Note != "" {
			message += " · " + g.Note
		}
		if g.Workers == 0 {
			message += " · start some: mllmrec worker --store …"
		}
		p.emit(Event{Stage: stage, Done: g.Settled, Total: g.Questions, Elapsed: time.Since(start), Message: message})
	}}, nil
}
