package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// BenchmarkThroughput asks a server that takes 50 ms for an answer, 64 in flight, and
// reports the share of the ideal rate, 1280 answers a second, from the first request to
// the last answer: of the command, and of a bare http.Client, which is what the machine
// can do.
func BenchmarkThroughput(b *testing.B) {
	const users, flight, delay = 6400, 64, 50 * time.Millisecond
	ideal := float64(users) / flight * delay.Seconds()
	measure := func(b *testing.B, prepare func(dir string), ask func(dir, url string)) {
		best := 0.0
		for range b.N {
			b.StopTimer()
			dir := b.TempDir()
			prepare(dir)
			url, stop := startSlowServer(b, delay)
			b.StartTimer()
			ask(dir, url)
			b.StopTimer()
			saw := stop()
			if saw.Requests != users {
				b.Fatalf("%d requests for %d users", saw.Requests, users)
			}
			best = max(best, 100*ideal/saw.Last.Add(delay).Sub(saw.First).Seconds())
		}
		b.ReportMetric(best, "%ideal")
	}
	b.Run("reason", func(b *testing.B) {
		measure(b, func(dir string) { shopOfUsers(b, dir, users) }, func(dir, url string) {
			var out strings.Builder
			if code := run(context.Background(), []string{"reason", filepath.Join(dir, "ws"), "--base-url", url, "--concurrency", fmt.Sprint(flight), "-q"}, &out, &out); code != 0 {
				b.Fatalf("exit %d: %s", code, out.String())
			}
		})
	})
	b.Run("bare", func(b *testing.B) {
		measure(b, func(string) {}, func(_, url string) { postMany(b, url, users, flight) })
	})
}

// manyEnv asks for TestManyAnswers with so many users.
const manyEnv = "MLLMREC_TEST_MANY"

// TestManyAnswers measures status and resuming over a ledger that holds all answers:
// export MLLMREC_TEST_MANY=1000000 for one of each of a million users, or 100000x9 for
// ten of each of a hundred thousand, nine of them blind to a fold.
func TestManyAnswers(t *testing.T) {
	var users, folds int
	if n, _ := fmt.Sscanf(os.Getenv(manyEnv), "%dx%d", &users, &folds); n == 0 {
		t.Skipf("set %s to a number of users", manyEnv)
	}
	server := mllmtest.New(t, mllmtest.Options{})
	dir := t.TempDir()
	ws := shopOfMany(t, dir, users, 10_000, max(folds, 3))
	answers := fillLedger(t, ws, server.URL, folds)
	resume := []string{"reason", ws, "--base-url", server.URL, "--folds", fmt.Sprint(folds), "-q"}
	for _, args := range [][]string{{"status", ws, "--json"}, resume, resume, {"status", ws, "--json"}} {
		runtime.GC()
		stop, peak := make(chan struct{}), make(chan uint64)
		go watchHeap(stop, peak)
		start := time.Now()
		var out strings.Builder
		if code := run(context.Background(), args, &out, &out); code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, out.String())
		}
		took := time.Since(start)
		close(stop)
		t.Logf("%s over %d answers: %s, heap at most %d MB", args[0], answers, took.Round(time.Millisecond), <-peak>>20)
	}
	if n := server.Total(); n != 0 {
		t.Errorf("%d stored answers were asked for again", n)
	}
}

// shopOfMany imports a shop in which users have bought so many of the items, and two more
// that are held out, and describes it offline.
func shopOfMany(t testing.TB, dir string, users, items, each int) string {
	t.Helper()
	file := func(name, head string, fill func(w *bufio.Writer)) string {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		w := bufio.NewWriter(f)
		fmt.Fprintln(w, head)
		fill(w)
		if err := errors.Join(w.Flush(), f.Close()); err != nil {
			t.Fatal(err)
		}
		return path
	}
	inter := file("inter.csv", "user,item,time", func(w *bufio.Writer) {
		for u := range users {
			for k := range each + 2 {
				fmt.Fprintf(w, "u%d,i%d,%d\n", u, (u*31+k*977)%items, k)
			}
		}
	})
	catalogue := file("items.csv", "item,title", func(w *bufio.Writer) {
		for i := range items {
			fmt.Fprintf(w, "i%d,Unique number %d thing\n", i, i)
		}
	})
	ws := filepath.Join(dir, "ws")
	for _, args := range [][]string{
		{"import", "tables", "--interactions", inter, "--items", catalogue, "--split", "leave-latest", "--k-core", "0", "--out", ws},
		{"describe", ws, "--mllm", "offline", "-q"},
	} {
		var out strings.Builder
		if code := run(context.Background(), args, &out, &out); code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, out.String())
		}
	}
	return ws
}

// watchHeap sends the largest live heap seen.
func watchHeap(stop <-chan struct{}, peak chan<- uint64) {
	var most uint64
	for {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		most = max(most, m.HeapAlloc)
		select {
		case <-stop:
			peak <- most
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// fillLedger stores an answer to every question of the workspace under the key that a
// run will look for, and returns how many they are.
func fillLedger(t *testing.T, dir, url string, folds int) (answers int) {
	t.Helper()
	ws, err := workspace.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	ds, err := ws.Dataset()
	if err != nil {
		t.Fatal(err)
	}
	written, err := ws.ItemTexts(currentOf(ws, workspace.KindItemTexts))
	if err != nil {
		t.Fatal(err)
	}
	catalogue, err := texts.Catalogue(ds.Items, written)
	if err != nil {
		t.Fatal(err)
	}
	pool, err := connect.Pool(connect.Options{Kind: connect.Ollama, URLs: []string{url}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := writer.NewReasoner(t.Context(), pool, writer.Options{Model: "gemma3:27b"})
	if err != nil {
		t.Fatal(err)
	}
	store, err := ledger.OpenSQLite(t.Context(), filepath.Join(dir, workspace.GenerationsFile))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	var batch []texts.Generation
	flush := func() {
		if err := store.Put(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
		batch = batch[:0]
	}
	err = texts.UnansweredPreferences(t.Context(), ds.TrainHistories(), ds.UserIDs, catalogue, r, store, texts.ReasonOptions{Options: texts.Options{Domain: ds.Domain}, Folds: folds, Seed: 1}, func(q texts.Question) error {
		answers++
		answer := texts.Answer{Model: "gemma3:27b", Text: "They like sturdy, colourful things for every day, " + q.About.Subject + ".", PromptTokens: 400, AnswerTokens: 20, Seconds: 1, Attempt: 1}
		if batch = append(batch, q.Settle(answer, nil)); len(batch) == 20000 {
			flush()
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	flush()
	return answers
}
