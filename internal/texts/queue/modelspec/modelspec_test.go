package modelspec_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/mllm/check"
	"github.com/mllmrec/mllmrec/internal/mllm/connect"
	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/postgres"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/texts/queue"
	"github.com/mllmrec/mllmrec/internal/texts/queue/modelspec"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
)

func client(t *testing.T, s *mllmtest.Server) mllm.Client {
	t.Helper()
	pool, err := connect.Pool(connect.Options{Kind: connect.Ollama, URLs: []string{s.URL}, Concurrency: 8})
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func options(t *testing.T) writer.Options {
	t.Helper()
	prompts, err := prompt.Parse(map[prompt.Kind]string{prompt.Preference: "What does the user want of {{.Domain}}?\n{{.Items}}"})
	if err != nil {
		t.Fatal(err)
	}
	latin, err := check.ParseScript("latin")
	if err != nil {
		t.Fatal(err)
	}
	return writer.Options{Model: "gemma3:27b", Prompts: prompts, Limits: prompt.Options{Words: 60, ItemRunes: 200, ImageRunes: 100}, Temperature: 0.2, Seed: 5, Script: latin, Window: 2048, PartTries: 2}
}

// A reasoner or describer made from a spec has the ID of the one that the spec is of,
// though it is given the address only.
func TestSameID(t *testing.T) {
	s := mllmtest.New(t, mllmtest.Options{})
	opt := options(t)
	for _, change := range []func(){
		func() {}, func() { opt.Seed, opt.Window = 6, 0 }, func() { opt.History, opt.LatestN = writer.Latest, 3 },
		func() { opt = writer.Options{Model: "gemma3:27b"} },
	} {
		change()
		r, err := writer.NewReasoner(t.Context(), client(t, s), opt)
		if err != nil {
			t.Fatal(err)
		}
		raw, err := modelspec.Of(r.Options())
		if err != nil {
			t.Fatal(err)
		}
		got, err := modelspec.Reasoners(client(t, s), time.Second)(t.Context(), raw, nil)
		if err != nil || got.ID() != r.ID() {
			t.Errorf("got %v, %v, want %s", got, err, r.ID())
		}
		d, err := writer.NewDescriber(t.Context(), client(t, s), r.Options())
		if err != nil {
			t.Fatal(err)
		}
		if got, err := modelspec.Describers(client(t, s), 0)(t.Context(), raw, nil); err != nil || got.ID() != d.ID() {
			t.Errorf("got %v, %v, want %s", got, err, d.ID())
		}
	}
}

func TestSpecsThatCannotBeMet(t *testing.T) {
	for raw, want := range map[string]string{
		`{"model":"m","new":1}`:                            "unknown field",
		`{"model":"m","script":"klingon"}`:                 "klingon",
		`{"model":"m","templates":{"sonnet":"x"}}`:         "sonnet",
		`{"model":"m","templates":{"describe":"{{.Nope"}}`: "describe.tmpl",
		`[`: "what model",
	} {
		if _, err := modelspec.Options(json.RawMessage(raw)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v", raw, err)
		}
	}
}

// Workers with a faulty model server, long histories read in parts included, write the
// texts that one process writes.
func TestWorkersWithModels(t *testing.T) {
	address := pgtest.Start(t).Database(t)
	faulty := mllmtest.Options{Seed: 3, Probability: map[mllmtest.Fault]float64{mllmtest.ServerError: 0.05, mllmtest.Reset: 0.05, mllmtest.Loop: 0.03}}
	s, other := mllmtest.New(t, faulty), mllmtest.New(t, faulty)
	d := &dataset.Dataset{Domain: "test goods"}
	var catalogue []texts.HistoryItem
	for i := range 50 {
		it := dataset.Item{ID: fmt.Sprint("i", i), Title: fmt.Sprint("thing ", i), Description: strings.Repeat("words of it ", 20)}
		d.Items = append(d.Items, it)
		catalogue = append(catalogue, texts.HistoryItem{Item: it})
	}
	for u := range 40 {
		d.UserIDs = append(d.UserIDs, fmt.Sprint("u", u))
		for k := range 2 + u {
			d.Append(dataset.Interaction{User: int32(u), Item: int32((u*7 + k) % 50), Label: dataset.Train, Time: int64(k)})
		}
	}
	opt := texts.ReasonOptions{Options: texts.Options{Domain: d.Domain, Concurrency: 4, Backoff: time.Millisecond, Attempts: 6}}

	file, err := ledger.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "g.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	alone := options(t)
	alone.Conclusions = texts.StoredConclusions{Store: file}
	r, err := writer.NewReasoner(t.Context(), client(t, s), alone)
	if err != nil {
		t.Fatal(err)
	}
	want, _, err := texts.ReasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, r, file, opt)
	if err != nil {
		t.Fatal(err)
	}

	store, err := postgres.Open(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	quiet := slog.New(slog.DiscardHandler)
	f, err := queue.New(t.Context(), store, quiet)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, err := queue.RunWorker(ctx, address, queue.WorkerOptions{Reasoner: modelspec.Reasoners(client(t, other), 0), Concurrency: 8, Backoff: time.Millisecond, Log: quiet})
		done <- err
	}()
	spec, err := modelspec.Of(r.Options())
	if err != nil {
		t.Fatal(err)
	}
	got, report, err := f.ReasonUsers(t.Context(), d.TrainHistories(), d.UserIDs, catalogue, r, opt, queue.JobOptions{Spec: spec})
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	wantTexts, err := want.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gotTexts, err := got.Collect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantTexts, gotTexts); diff != "" {
		t.Error(diff)
	}
	steps := 0
	if err := store.Each(t.Context(), texts.StageConclusion, func(texts.Generation) error { steps++; return nil }); err != nil || steps == 0 || report.Answered != 40 {
		t.Errorf("%d steps, %v, %+v", steps, err, report)
	}
}
