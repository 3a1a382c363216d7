package experiment

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/eval"
	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/evaluating"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Names of files in a trial's folder beside those that package result names.
const (
	orderFile    = "order.json"    // what the trial is to do
	progressFile = "progress.json" // how far it is, while it runs
	failedFile   = "failed.json"   // why it failed the last time
	workFolder   = "ws"            // the workspace that it trains in, gone when it has ended
)

// order is what a trial is told to do, by a file in its folder.
type order struct {
	ID       string            `json:"id"`
	Data     string            `json:"data"`
	Entry    string            `json:"entry"`
	Model    string            `json:"model"`
	Settings map[string]string `json:"settings"` // as training takes them, what the data offers put in
	Given    map[string]string `json:"given"`
	Options  map[string]string `json:"options"`
	Seed     uint64            `json:"seed"`
	Select   string            `json:"select"`
	Batches  string            `json:"batches,omitempty"`
	From     []string          `json:"from"` // addresses of the artefacts that it is made from
}

// progress is what a trial says of itself while it runs.
type progress struct {
	Message string    `json:"message"`
	At      time.Time `json:"at"`
}

// RunTrial does what the order in a trial's folder says, and writes what came of it there. A trial that has ended
// is left as it is; one that was stopped goes on.
func RunTrial(ctx context.Context, dir string) error {
	if ended(dir) {
		return nil
	}
	o := new(order)
	raw, err := os.ReadFile(filepath.Join(dir, orderFile))
	if err == nil {
		err = json.Unmarshal(raw, o)
	}
	if err != nil {
		return fmt.Errorf("read the trial's order: %w", err)
	}
	ws, err := workspace.Open(filepath.Join(dir, workFolder))
	if err != nil {
		return err
	}
	release, err := lockTrial(ctx, ws)
	if err != nil {
		return err
	}
	defer release()
	if ended(dir) { // by the process that was waited for
		return nil
	}
	s := stage.NewSession(ws, func(e stage.Event) {
		result.Write(filepath.Join(dir, progressFile), progress{e.Message, time.Now()}) //nolint:errcheck // for people to look at
	})
	st, err := training.New(training.Options{Model: o.Model, Settings: pairs(o.Settings), Seed: o.Seed, Batches: cmp.Or(o.Batches, "auto")})
	if err != nil {
		return err
	}
	e := stage.NewEngine(s, st)
	for _, address := range o.From {
		if err := e.Use(address); err != nil {
			return err
		}
	}
	address, err := e.Make(ctx, workspace.KindRun)
	if err != nil {
		return err
	}
	return measure(ctx, s, dir, o, address)
}

func pairs(settings map[string]string) (all []string) {
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		all = append(all, key+"="+settings[key])
	}
	return all
}

// measure ranks for all users and writes the trial, its last file.
func measure(ctx context.Context, s *stage.Session, dir string, o *order, address string) error {
	run, _, err := training.Find(s.WS, strings.TrimPrefix(address, workspace.RunsFolder+"/"))
	if err != nil {
		return err
	}
	start := time.Now()
	judged, err := evaluating.Judged(ctx, s, run.ID)
	if err != nil {
		return err
	}
	t := &result.Trial{ID: o.ID, Data: o.Data, Entry: o.Entry, Model: o.Model, Settings: o.Given, Options: o.Options, Seed: o.Seed, Config: run.Config, Found: run.Found,
		Leaky: run.Leaky, BestEpoch: run.BestEpoch, Valid: judged.Metrics(dataset.Valid), Test: judged.Metrics(dataset.Test)}
	t.Cost.EvalSeconds = time.Since(start).Seconds()
	for _, slice := range judged.Slices() {
		t.Slices = append(t.Slices, result.Slice{By: slice.By, Label: slice.Label, Users: slice.Users, Values: chosen(slice.Values)})
	}
	for _, e := range run.Epochs {
		t.Curve = append(t.Curve, result.Point{Epoch: e.Epoch, Loss: e.Loss, Valid: e.Valid[o.Select]})
		t.Cost.TrainSeconds += e.TrainSeconds
	}
	if n := len(run.Epochs); n > 0 {
		t.Cost.Epochs, t.Cost.EpochSeconds = float64(n), t.Cost.TrainSeconds/float64(n)
	} else if a, ok := s.WS.Artefact(address); ok {
		t.Cost.TrainSeconds = a.Seconds
	}
	t.Cost.MemoryBytes = peakMemory()
	users := judged.PerUser(dataset.Test)
	t.TestUsers = len(users.Users)
	if err := writeUsers(filepath.Join(dir, result.UsersFile), users); err != nil {
		return err
	}
	if err := writeVectors(s, address, filepath.Join(dir, result.VectorsFile)); err != nil {
		return err
	}
	return result.Write(filepath.Join(dir, result.TrialFile), t)
}

func chosen(values map[string]float64) map[string]float64 {
	some := map[string]float64{}
	for _, m := range result.Metrics() {
		if v, ok := values[m]; ok {
			some[m] = v
		}
	}
	return some
}

// writeUsers writes a row a user: its number, and the metrics that are compared.
func writeUsers(path string, users *eval.UserMetrics) error {
	m := tensor.New(len(users.Users), 1+len(result.Metrics()))
	for j, u := range users.Users {
		m.Row(j)[0] = float32(u)
	}
	for k, key := range result.Metrics() {
		for j, v := range users.Of(key) {
			m.Row(j)[1+k] = float32(v)
		}
	}
	return arrayfile.WriteNPY(path, m)
}

// shownUsers are how many users' vectors are kept to be drawn.
const shownUsers = 500

// writeVectors keeps the vectors of some users, at equal distances, where the model has vectors.
func writeVectors(s *stage.Session, address, path string) error {
	a, _ := s.WS.Artefact(address)
	if _, ok := a.Files[workspace.RunUsersFile]; !ok {
		return nil
	}
	all, err := s.Matrix(address, workspace.RunUsersFile)
	if err != nil {
		return err
	}
	n := min(shownUsers, all.Rows)
	some := tensor.New(n, all.Cols)
	for k := range n {
		copy(some.Row(k), all.Row(k*all.Rows/n))
	}
	return arrayfile.WriteNPY(path, some)
}

// ended reports whether a trial has a result.
func ended(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, result.TrialFile))
	return err == nil
}

// lastWord is what a running trial said last.
func lastWord(dir string) string {
	raw, err := os.ReadFile(filepath.Join(dir, progressFile))
	if err != nil {
		return ""
	}
	var p progress
	if json.Unmarshal(raw, &p) != nil {
		return ""
	}
	return p.Message
}

// sweepTrial removes what only a running trial needs.
func sweepTrial(dir string) error {
	if err := os.RemoveAll(filepath.Join(dir, workFolder)); err != nil {
		return fmt.Errorf("clear the trial's workspace: %w", err)
	}
	for _, name := range []string{progressFile, failedFile} {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
