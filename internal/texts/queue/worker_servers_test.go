package queue_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mllmrec/mllmrec/internal/database/pg"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
)

func serves(t *testing.T, address string) {
	pool, err := pg.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	ask := func() []queue.WorkerServers {
		all, err := queue.ReportedServers(t.Context(), pool)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	if all := ask(); len(all) != 0 {
		t.Errorf("a database without a queue tells %+v", all)
	}
	opt := workerOptions("w")
	var asked atomic.Int64
	opt.DescribeServers = func(context.Context) (mllm.ServerInfo, error) {
		if asked.Add(1) == 1 {
			return mllm.ServerInfo{}, errors.New("not up yet")
		}
		return mllm.ServerInfo{Kind: "ollama", Endpoint: "http://secret:11434", Models: []mllm.ModelInfo{{Name: "m", Digest: "d", ContextLength: 7, Vision: true, Capabilities: []string{"vision"}}}}, nil
	}
	stop := startWorker(t, address, opt)
	until(t, func() bool { all := ask(); return len(all) == 1 })
	until(t, func() bool { return ask()[0].Reported })
	want := []queue.WorkerServers{{Reported: true, Kind: "ollama", Models: []mllm.ModelInfo{{Name: "m", Digest: "d", ContextLength: 7, Vision: true, Capabilities: []string{"vision"}}}}}
	if diff := cmp.Diff(want, ask(), cmpopts.IgnoreFields(queue.WorkerServers{}, "Worker")); diff != "" {
		t.Error(diff)
	}
	var raw string
	if err := pool.QueryRow(t.Context(), "SELECT serves::text FROM mllmrec.worker").Scan(&raw); err != nil || strings.Contains(raw, "secret") {
		t.Errorf("the address of the server is told: %s, %v", raw, err)
	}
	startWorker(t, address, workerOptions("mute"))
	until(t, func() bool { all := ask(); return len(all) == 2 && !all[1].Reported })
	if _, err := stop(); err != nil {
		t.Error(err)
	}
	if all := ask(); len(all) != 1 {
		t.Errorf("a worker that left is still told of: %+v", all)
	}
}
