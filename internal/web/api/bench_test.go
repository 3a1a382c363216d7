package api_test

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/mllmrec/mllmrec"
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/sqlite"
	"github.com/mllmrec/mllmrec/internal/shopfront"
	"github.com/mllmrec/mllmrec/internal/web/api"
)

// BenchmarkServe asks a server in an open loop, from the same machine: requests are sent at their times whether or not earlier ones have
// been answered. It measures how long answers take at the rate of MLLMREC_BENCH_RATE requests a second (default 3000) for
// MLLMREC_BENCH_SECONDS (default 10), each for a random user, over MLLMREC_BENCH_ITEMS items (default 20,000): when every list was asked for
// before, and when none is kept. The runs are of bm25, which scores by a kernel, and of bpr, which scores by vectors; MLLMREC_BENCH_WS names a
// workspace to serve instead.
func BenchmarkServe(b *testing.B) {
	if ws := os.Getenv("MLLMREC_BENCH_WS"); ws != "" {
		benchServe(b, ws, "", "present run")
		return
	}
	for _, model := range []string{"bm25", "bpr"} {
		dir := manyItems(b, number("MLLMREC_BENCH_ITEMS", 20_000), model)
		benchServe(b, dir, "", model)
	}
	if number("MLLMREC_BENCH_ITEMS", 20_000) <= 20_000 {
		benchSwap(b, manyItems(b, 20_000, "bm25", "itemknn"))
	}
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// manyItems makes a workspace of a synthetic shop, whose popularities fall by a power law, with a run.
func manyItems(b *testing.B, items int, models ...string) string {
	b.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	ds := &dataset.Dataset{Name: "many"}
	for i := range items {
		ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprint("i", i), Title: fmt.Sprint("item ", i), Categories: []string{fmt.Sprint("c", i%20)}})
	}
	users := number("MLLMREC_BENCH_USERS", min(50_000, 3*items))
	for u := range users {
		ds.UserIDs = append(ds.UserIDs, fmt.Sprint("u", u))
		met := map[int32]bool{}
		for n := range 8 {
			i := int32(float64(items) * r.Float64() * r.Float64() * r.Float64())
			if !met[i] {
				met[i] = true
				ds.Append(dataset.Interaction{User: int32(u), Item: i, Time: int64(n)})
			}
		}
	}
	dir := filepath.Join(b.TempDir(), "ws")
	if _, err := mllmrec.Import(b.Context(), dir, ds, mllmrec.ImportOptions{}); err != nil {
		b.Fatal(err)
	}
	for _, model := range models {
		opt := mllmrec.BuildOptions{Model: model}
		if model == "bpr" {
			opt.Settings = map[string]string{"epochs": "1"}
		}
		if _, err := mllmrec.Build(b.Context(), dir, opt); err != nil {
			b.Fatal(err)
		}
	}
	return dir
}

func benchServe(b *testing.B, dir, run, name string) {
	for _, c := range []struct {
		name  string
		cache int64
		query string
	}{
		{"asked before", 512 << 20, "?k=10"},
		{"none kept", 0, "?k=10&because=false"},
		{"none kept, with reasons", 0, "?k=10"},
	} {
		b.Run(name+"/"+c.name, func(b *testing.B) {
			store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "live.db"))
			if err != nil {
				b.Fatal(err)
			}
			defer store.Close() //nolint:errcheck // nothing was written
			began := time.Now()
			shop, err := shopfront.Open(b.Context(), store, run, shopfront.Options{Dir: dir, Cache: c.cache})
			if err != nil {
				b.Fatal(err)
			}
			defer shop.Close()
			opened := time.Since(began)
			users := shop.Arms()[0].Engine.Data.UserIDs
			if len(users) > 20_000 {
				users = users[:20_000]
			}
			server := httptest.NewServer(api.New(shop, api.Options{Open: true, Log: slog.New(slog.DiscardHandler)}).Handler())
			defer server.Close()
			if c.cache > 0 {
				for _, u := range users {
					if _, err := shop.Recommend(context.Background(), shopfront.Query{User: u, K: 10, Because: true}); err != nil {
						b.Fatal(err)
					}
				}
			}
			var memory runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&memory)
			attack(b, server.URL, c.query, users, 2) // connections are made, pools are filled
			for b.Loop() {
				m := attack(b, server.URL, c.query, users, number("MLLMREC_BENCH_SECONDS", 10))
				b.ReportMetric(m.Throughput, "answers/s")
				b.ReportMetric(float64(m.Latencies.P50)/1e6, "p50-ms")
				b.ReportMetric(float64(m.Latencies.P99)/1e6, "p99-ms")
				b.ReportMetric(100*(1-m.Success), "failed-%")
			}
			b.ReportMetric(opened.Seconds(), "s/open")
			b.ReportMetric(float64(memory.HeapAlloc)/1e6, "heap-MB")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// benchSwap swaps runs, hides items and posts feedback under the load.
func benchSwap(b *testing.B, dir string) {
	b.Run("runs swapped twice a second", func(b *testing.B) {
		store, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "live.db"))
		if err != nil {
			b.Fatal(err)
		}
		defer store.Close() //nolint:errcheck // nothing is read any more
		shop, err := shopfront.Open(b.Context(), store, "", shopfront.Options{Dir: dir, Cache: 64 << 20})
		if err != nil {
			b.Fatal(err)
		}
		defer shop.Close()
		runs, err := mllmrec.Runs(b.Context(), dir)
		if err != nil || len(runs) != 2 {
			b.Fatalf("%v, %d runs", err, len(runs))
		}
		server := httptest.NewServer(api.New(shop, api.Options{Open: true}).Handler())
		defer server.Close()
		users := shop.Arms()[0].Engine.Data.UserIDs[:20_000]
		attack(b, server.URL, "?k=10", users, 2)
		ctx, stop := context.WithCancel(b.Context())
		swaps := make(chan int)
		go func() {
			n := 0
			for ; ctx.Err() == nil; n++ {
				if err := shop.Serve(context.Background(), live.ServingState{Run: runs[n%2].ID}); err != nil {
					b.Error(err)
				}
				if _, err := shop.HideItems(context.Background(), []string{fmt.Sprint("i", n)}, true); err != nil {
					b.Error(err)
				}
				if _, err := shop.Feedback(context.Background(), []live.Event{{User: users[n], Item: "i7", Type: live.Like}}); err != nil {
					b.Error(err)
				}
				time.Sleep(500 * time.Millisecond)
			}
			swaps <- n
		}()
		for b.Loop() {
			m := attack(b, server.URL, "?k=10", users, number("MLLMREC_BENCH_SECONDS", 10))
			b.ReportMetric(m.Throughput, "answers/s")
			b.ReportMetric(float64(m.Latencies.P50)/1e6, "p50-ms")
			b.ReportMetric(float64(m.Latencies.P99)/1e6, "p99-ms")
			b.ReportMetric(100*(1-m.Success), "failed-%")
		}
		stop()
		b.ReportMetric(float64(<-swaps), "swaps")
		b.ReportMetric(0, "ns/op")
	})
}

// attack sends requests at their times.
func attack(b *testing.B, url, query string, users []string, seconds int) *vegeta.Metrics {
	b.Helper()
	r := rand.New(rand.NewPCG(3, 4))
	next := func(t *vegeta.Target) error {
		t.Method, t.URL = http.MethodGet, url+"/v1/users/"+users[r.IntN(len(users))]+"/recommendations"+query
		return nil
	}
	rate := vegeta.Rate{Freq: number("MLLMREC_BENCH_RATE", 3000), Per: time.Second}
	attacker := vegeta.NewAttacker(vegeta.Workers(64), vegeta.MaxWorkers(512), vegeta.Connections(512))
	m := &vegeta.Metrics{}
	for res := range attacker.Attack(next, rate, time.Duration(seconds)*time.Second, "serve") {
		m.Add(res)
	}
	m.Close()
	return m
}
