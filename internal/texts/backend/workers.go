package backend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/ollama"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// workersClient is the client of a coordinator that was given no server of its own. The
// workers report their models through the database; where none does, a server on this
// machine may be asked.
type workersClient struct {
	noServer
	store    string
	model    string
	fallback mllm.Client // nil: nobody else may be asked
}

// How long workers that have just started may take to hear from their servers.
const (
	describedWithin = 10 * time.Second
	describedEvery  = 250 * time.Millisecond
)

// Describe implements mllm.Client. Several workers are described as several endpoints of
// a pool are: one model with different weights is a user's mistake.
func (t *workersClient) Describe(ctx context.Context) (mllm.ServerInfo, error) {
	pool, err := pg.Connect(ctx, t.store)
	if err != nil {
		return mllm.ServerInfo{}, err
	}
	defer pool.Close()
	var workers []queue.WorkerServers
	for deadline := time.Now().Add(describedWithin); ; {
		if workers, err = queue.ReportedServers(ctx, pool); err != nil {
			return mllm.ServerInfo{}, err
		}
		silent := slices.ContainsFunc(workers, func(w queue.WorkerServers) bool { return !w.Reported })
		if !silent || time.Now().After(deadline) {
			break
		}
		select {
		case <-ctx.Done():
			return mllm.ServerInfo{}, ctx.Err()
		case <-time.After(describedEvery):
		}
	}
	workers = slices.DeleteFunc(workers, func(w queue.WorkerServers) bool { return !w.Reported })
	switch {
	case len(workers) > 0:
		return t.choose(ctx, workers)
	case t.fallback != nil:
		return t.fallback.Describe(ctx)
	}
	return mllm.ServerInfo{}, &mllm.Error{Class: mllm.Unavailable, Model: t.model, Err: errors.New("no worker has reported its models")}
}

// choose describes the workers that have the model, or that cannot tell.
func (t *workersClient) choose(ctx context.Context, workers []queue.WorkerServers) (mllm.ServerInfo, error) {
	var endpoints []mllm.EndpointConfig
	var others []string
	for _, w := range workers {
		info := mllm.ServerInfo{Kind: w.Kind, Endpoint: "worker " + w.Worker, Models: w.Models}
		if _, has := info.Find(t.model); has || len(w.Models) == 0 {
			endpoints = append(endpoints, mllm.EndpointConfig{Client: workerModels{info: info}})
			continue
		}
		for _, m := range w.Models {
			if !slices.Contains(others, m.Name) {
				others = append(others, m.Name)
			}
		}
	}
	if len(endpoints) == 0 {
		return mllm.ServerInfo{}, usererr.New(fmt.Sprintf("Pull it on a worker's machine ('ollama pull %s'), start a worker that has it, or name a server that does with %s.", t.model, usererr.Option("base-url")),
			"none of the %d workers has the model %q; they have: %s", len(workers), t.model, strings.Join(others, ", "))
	}
	several, err := mllm.NewPool(endpoints, mllm.PoolOptions{})
	if err != nil {
		return mllm.ServerInfo{}, fmt.Errorf("compare the workers' models: %w", err)
	}
	return several.Describe(ctx)
}

// Endpoint implements mllm.Client.
func (t *workersClient) Endpoint() string {
	if t.fallback != nil {
		return "the workers, or " + ollama.DefaultURL
	}
	return "the workers"
}

// workerModels repeats what one worker reported.
type workerModels struct {
	noServer
	info mllm.ServerInfo
}

func (r workerModels) Describe(context.Context) (mllm.ServerInfo, error) { return r.info, nil }
func (r workerModels) Endpoint() string                                  { return r.info.Endpoint }
