package stage_test

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func TestETA(t *testing.T) {
	for name, c := range map[string]struct {
		e    stage.Event
		want time.Duration
	}{
		"half done":            {stage.Event{Done: 5, Total: 10, Elapsed: 10 * time.Second}, 10 * time.Second},
		"a quarter done":       {stage.Event{Done: 1, Total: 4, Elapsed: 4 * time.Second}, 12 * time.Second},
		"too early":            {stage.Event{Done: 5, Total: 10, Elapsed: time.Second}, 0},
		"nothing done":         {stage.Event{Total: 10, Elapsed: time.Minute}, 0},
		"done":                 {stage.Event{Done: 10, Total: 10, Elapsed: time.Minute}, 0},
		"unknown total":        {stage.Event{Done: 10, Elapsed: time.Minute}, 0},
		"the stage knows":      {stage.Event{Done: 5, Total: 10, Elapsed: 10 * time.Second, Left: time.Hour}, time.Hour},
		"the stage knows not":  {stage.Event{Done: 5, Total: 10, Elapsed: 10 * time.Second, Left: -1}, 0},
		"known from the start": {stage.Event{Left: time.Minute}, time.Minute},
	} {
		if got := c.e.ETA(); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestSessionReportsProgress(t *testing.T) {
	ws := newWorkspace(t)
	stage.NewSession(ws, nil).Say("graph", "nobody listens")
	var got []stage.Event
	s := stage.NewSession(ws, func(e stage.Event) { got = append(got, e) })
	s.Say("graph", "%d items", 3)
	s.Note("graph", "mind this")
	s.Finish("graph", time.Now().Add(-time.Minute), "made")
	if len(got) != 3 || got[0] != (stage.Event{Stage: "graph", Message: "3 items"}) || got[1] != (stage.Event{Stage: "graph", Message: "mind this", End: true}) ||
		!got[2].End || got[2].Elapsed < time.Minute {
		t.Errorf("%+v", got)
	}
}

// One data set and one judge serve the whole session.
func TestSessionReadsOnce(t *testing.T) {
	s := stage.NewSession(newWorkspace(t), nil)
	judge, err := s.Judge()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if other, err := s.Judge(); err != nil || other != judge {
				t.Errorf("another judge, %v", err)
			}
			if _, err := s.Dataset(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n := s.WS.Reads()[workspace.InteractionsFile]; n != 1 {
		t.Errorf("interactions were read %d times", n)
	}
}

// arrays is a stage that writes arrays of user vectors and of a graph.
type arrays struct {
	fake
	write func(b *stage.Build) error
}

func (a *arrays) Build(_ context.Context, b *stage.Build) error { return a.write(b) }

func TestSessionReadsArrays(t *testing.T) {
	ws := newWorkspace(t)
	matrix := func(v float32) *tensor.Matrix {
		m := tensor.New(2, 3)
		for i := range m.Data {
			m.Data[i] = v + float32(i)
		}
		return m
	}
	s := stage.NewSession(ws, nil)
	users := &arrays{fake{name: workspace.StageEncode, kind: workspace.KindUserVectors}, func(b *stage.Build) error {
		return errors.Join(arrayfile.WriteNPY(b.Path(workspace.UserVectorsFile), matrix(0)),
			arrayfile.WriteNPY(b.Path(workspace.FoldVectorsFile(0)), matrix(10)), arrayfile.WriteNPY(b.Path(workspace.FoldVectorsFile(1)), matrix(20)))
	}}
	graph := &arrays{fake{name: workspace.StageGraph, kind: workspace.KindItemGraph}, func(b *stage.Build) error {
		return arrayfile.WriteCSR(b.Path(workspace.ItemGraphFile), &tensor.CSR{Rows: 2, Cols: 2, Indptr: []int64{0, 1, 1}, Indices: []int32{1}, Values: []float32{0.5}})
	}}
	e := stage.NewEngine(s, users, graph)
	address, err := e.Make(t.Context(), workspace.KindUserVectors)
	if err != nil {
		t.Fatal(err)
	}
	full, folds, err := s.UserVectors(address)
	if err != nil || len(folds) != 2 {
		t.Fatal(len(folds), err)
	}
	for i, m := range []*tensor.Matrix{full, folds[0], folds[1]} {
		if diff := cmp.Diff(matrix(float32(10*i)).Data, m.Data); diff != "" {
			t.Errorf("matrix %d:\n%s", i, diff)
		}
	}
	at, err := e.Make(t.Context(), workspace.KindItemGraph)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := s.Graph(at); err != nil || g.NNZ() != 1 || g.Values[0] != 0.5 {
		t.Errorf("%+v, %v", g, err)
	}
	if _, err := s.Graph(address); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a graph of vectors: %v", err)
	}
	if _, _, err := s.UserVectors(at); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("vectors of a graph: %v", err)
	}
}
