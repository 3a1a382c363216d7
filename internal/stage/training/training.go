// Package training is the stage that trains a recommender to its early stop. What it asks
// of the stages before it is what the model reads, no more.
package training

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/folds"
	"github.com/mllmrec/mllmrec/internal/model"
	_ "github.com/mllmrec/mllmrec/internal/model/all" // the registry
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/train"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Options say what to train and how.
type Options struct {
	_        struct{} `group:"Training"`
	Model    string   `option:"model" default:"hybrid" doc:"recommender to train (mllmrec: the paper's)"`
	Settings []string `option:"set" doc:"setting of the model or the trainer, key=value"`
	Batches  string   `option:"batches" choices:"auto,published,grown" default:"auto" doc:"train pairs of a step where the setting batch_size is not given: published (2048); grown with the data (at most 128 steps an epoch; lr grows with the root); auto (grown where each step costs the whole user–item graph)"`
	Seed     uint64   `option:"seed" default:"999" doc:"random seed of initial weights, shuffling and negative sampling"`
	Fresh    bool     `option:"fresh" runs:"process" doc:"train another run from the beginning where a finished one would be shown or an interrupted one would go on"`
}

// Stage trains one model.
type Stage struct {
	Options Options

	settings map[string]string
	trainer  train.Options
	own      map[string]string // settings of the model
	needs    model.Needs
	grows    bool // batches grow with the data
}

// New checks the options and returns the stage.
func New(opt Options) (*Stage, error) {
	settings, err := parseSettings(opt.Settings)
	if err != nil {
		return nil, err
	}
	t := &Stage{Options: opt, settings: settings}
	if t.trainer, t.own, err = train.Configure(opt.Model, settings); err != nil {
		return nil, err
	}
	if t.needs, err = model.NeedsOf(opt.Model, t.own); err != nil {
		return nil, err
	}
	if t.grows, err = t.growing(); err != nil {
		return nil, err
	}
	return t, nil
}

// parseSettings reads key=value pairs.
func parseSettings(pairs []string) (map[string]string, error) {
	settings := map[string]string{}
	for _, pair := range pairs {
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return nil, usererr.New("Write it as key=value.", "%s %q has no value", usererr.Option("set"), pair)
		}
		if _, twice := settings[key]; twice {
			return nil, usererr.New("", "%s %s is given twice", usererr.Option("set"), key)
		}
		settings[key] = value
	}
	return settings, nil
}

// Settings returns the settings of the model and the trainer that were given, or that the data gave.
func (t *Stage) Settings() map[string]string { return maps.Clone(t.settings) }

// Name implements stage.Stage.
func (*Stage) Name() string { return workspace.StageTrain }

// Makes implements stage.Stage.
func (*Stage) Makes() workspace.Kind { return workspace.KindRun }

// Needs implements stage.Stage. Preferences come first: the stage that encodes them has the
// items encoded just before, so that the encoder is in memory at no other time.
func (t *Stage) Needs() []stage.Need {
	needs := []stage.Need{{Kind: workspace.KindData, Files: []string{workspace.InteractionsFile}}}
	if t.needs.Preferences {
		needs = append(needs, stage.Need{Kind: workspace.KindUserVectors})
	}
	for _, modality := range t.needs.ItemVectors {
		needs = append(needs, stage.Need{Kind: workspace.ItemVectorsOf(modality), Files: []string{workspace.ItemVectorsFile}})
	}
	if t.needs.Graph {
		needs = append(needs, stage.Need{Kind: workspace.KindItemGraph})
	}
	return needs
}

// Settle implements stage.Stage.
func (t *Stage) Settle(_ context.Context, s *stage.Session, _ stage.Inputs) (stage.Spec, error) {
	options := record(t.Options.Model, t.Options.Seed, t.settings)
	if t.grows {
		ds, err := s.Dataset()
		if err != nil {
			return stage.Spec{}, err
		}
		maps.Copy(options, t.grown(ds.TrainHistories().Len()))
	}
	return stage.Spec{Name: t.Options.Model, Options: options}, nil
}

func record(name string, seed uint64, settings map[string]string) map[string]string {
	r := map[string]string{"model": name, "seed": strconv.FormatUint(seed, 10)}
	for k, v := range settings {
		r["set."+k] = v
	}
	return r
}

// Place implements stage.InPlace: an interrupted run of the same options and inputs goes
// on, unless the user wants a new one.
func (t *Stage) Place(s *stage.Session, _ stage.Spec, inputHash string) (address string, resume bool, err error) {
	if !t.Options.Fresh {
		begun, err := begunRuns(s.WS)
		if err != nil {
			return "", false, err
		}
		for _, r := range slices.Backward(begun) {
			if r.InputHash == inputHash {
				return path.Join(workspace.RunsFolder, r.ID), true, nil
			}
		}
	}
	return s.WS.FreeRun(t.Options.Model, inputHash), false, nil
}

// Build implements stage.Stage.
func (t *Stage) Build(ctx context.Context, b *stage.Build) error {
	run, err := t.begin(b)
	if err != nil {
		return err
	}
	in, err := Inputs(b.Session, b.Inputs, t.Options.Seed)
	if err != nil {
		return err
	}
	if t.needs.Times {
		ds, err := b.Dataset()
		if err != nil {
			return err
		}
		in.Times = trainTimes(ds, in.Train)
	}
	if model.Fits(t.Options.Model) {
		return t.fit(ctx, b, run, in)
	}
	m, err := model.New(t.Options.Model, in, t.own)
	if err != nil {
		return err
	}
	judge, err := b.Judge()
	if err != nil {
		return err
	}
	opt := t.sized(in.Train.Len())
	t.sayBatches(b, opt, in.Train.Len())
	opt.Seed, opt.Dir, opt.Resume = t.Options.Seed, b.Path(""), b.Resume
	opt.OnStep = t.watch(b, opt, in.Train.Len())
	opt.OnEpoch = func(e train.Epoch) {
		b.Emit(stage.Event{Stage: b.Stage, Message: EpochLine(t.Options.Model, e, b.Leaky), End: true,
			Elapsed: time.Duration((e.TrainSeconds + e.EvalSeconds) * float64(time.Second))})
	}
	opt.OnLeftOut = func(users []string) {
		b.Note(b.Stage, "left out of sampling: %s with interactions on every item that occurs in train, so that nothing can be ranked below", some(users))
	}
	res, err := train.Run(ctx, m, in, judge, opt)
	if err != nil {
		return fmt.Errorf("train run %s: %w", run.ID, err)
	}
	run.ResumedFrom, run.BestEpoch, run.Stopped, run.Config = res.ResumedFrom, res.BestEpoch, res.Stopped, res.Config
	run.Epochs, run.Valid, run.Test, run.LeftOut = res.Epochs, res.Valid, res.Test, res.LeftOut
	if err := t.store(b, run, m); err != nil {
		return err
	}
	b.Files = []string{workspace.RunUsersFile, workspace.RunItemsFile, workspace.RunMetricsFile, workspace.RunModelFile}
	b.Info = map[string]any{"run": run.ID, stage.InfoTimes: run.times()}
	b.Done("%s: best epoch %d of %d", run.ID, run.BestEpoch, len(run.Epochs))
	return nil
}

// some counts users and names the first.
func some(users []string) string {
	if len(users) == 1 {
		return fmt.Sprintf("1 user (%q)", users[0])
	}
	return fmt.Sprintf("%d users (%q and others)", len(users), users[0])
}

// begin reads the configuration of the run to resume, or writes that of a new one.
func (t *Stage) begin(b *stage.Build) (*Run, error) {
	run := &Run{ID: path.Base(b.Address), Model: t.Options.Model, Seed: t.Options.Seed, Settings: t.settings, InputHash: b.InputHash,
		Provenance: b.Provenance, Leaky: b.Leaky, Warning: warning(b), Started: time.Now().UTC(), From: addresses(b.Inputs)}
	if b.Resume { // all else is as this command says it
		begun, err := begunRun(b.WS, run.ID)
		if err != nil {
			return nil, err
		}
		run.Started = begun.Started
		return run, nil
	}
	return run, writeJSON(b.Path(workspace.RunConfigFile), run)
}

// store writes the vectors of the trained model and then, last, the metrics that mark the
// run finished.
func (t *Stage) store(b *stage.Build, run *Run, m model.Model) error {
	users, items, err := m.Represent()
	if err != nil {
		return fmt.Errorf("represent: %w", err)
	}
	if err := arrayfile.WriteNPY(b.Path(workspace.RunUsersFile), users); err != nil {
		return err
	}
	if err := arrayfile.WriteNPY(b.Path(workspace.RunItemsFile), items); err != nil {
		return err
	}
	return writeJSON(b.Path(workspace.RunMetricsFile), run.timeless())
}

// times is what timeless leaves out, but for the end.
func (r *Run) times() times {
	t := times{Started: r.Started, ResumedFrom: r.ResumedFrom}
	for _, e := range r.Epochs {
		t.Epochs = append(t.Epochs, [2]float64{e.TrainSeconds, e.EvalSeconds})
	}
	return t
}

// timeless is the run without what differs between two trainings of the same result: when
// they were, how long they took and where they were interrupted. The record says it.
func (r *Run) timeless() *Run {
	t := *r
	t.Started, t.Finished, t.ResumedFrom = time.Time{}, nil, 0
	t.Epochs = slices.Clone(r.Epochs)
	for i := range t.Epochs {
		t.Epochs[i].TrainSeconds, t.Epochs[i].EvalSeconds = 0, 0
	}
	return &t
}

// addresses returns what the run is made from, by kind.
func addresses(in stage.Inputs) map[workspace.Kind]string {
	from := map[workspace.Kind]string{}
	for kind, i := range in {
		from[kind] = i.Address
	}
	return from
}

// warning says in words what the provenance of the vectors means for the numbers.
func warning(b *stage.Build) string {
	switch {
	case b.Leaky:
		return "leaky: the preference texts were written from validation and test interactions too; these numbers are no estimate of quality"
	case b.Provenance == workspace.ProvenanceUnknown:
		return "provenance unknown: the user vectors were imported; an audit probes them for a leak"
	}
	return ""
}

// EpochLine says in words what an epoch came to.
func EpochLine(name string, e train.Epoch, leaky bool) string {
	s := fmt.Sprintf("%s epoch %d · loss %.4f · valid R@20 %.4f N@20 %.4f", name, e.Epoch, e.Loss, e.Valid["recall@20"], e.Valid["ndcg@20"])
	if e.Best {
		s += " · best"
	}
	if leaky {
		s += " · leaky"
	}
	return s
}

// Inputs loads what a model can learn from out of the artefacts given.
func Inputs(s *stage.Session, from stage.Inputs, seed uint64) (model.Inputs, error) {
	ds, err := s.Dataset()
	if err != nil {
		return model.Inputs{}, err
	}
	in := model.Inputs{Train: ds.TrainHistories(), Users: ds.Users(), Items: ds.NumItems(), Seed: seed}
	if in.ItemVectors, err = itemVectors(s, addresses(from)); err != nil {
		return in, err
	}
	if address := from.Address(workspace.KindUserVectors); address != "" {
		if in.Preferences, in.FoldPreferences, err = s.UserVectors(address); err != nil {
			return in, err
		}
		if len(in.FoldPreferences) > 0 {
			in.FoldOf = folds.All(in.Train, ds.UserIDs, len(in.FoldPreferences), folds.Seed)
		}
	}
	if address := from.Address(workspace.KindItemGraph); address != "" {
		in.Graph, err = s.Graph(address)
	}
	return in, err
}

// Models names the models that can be trained.
func Models() []string { return model.Names() }

// Setting describes a key=value setting of the trainer or a model.
type Setting struct{ Owner, Name, Doc, Default string }

// Settings lists every setting of the trainer, whose owner is "", and of the models.
func Settings() []Setting {
	var all []Setting
	add := func(owner string, settings []model.Setting) {
		for _, s := range settings {
			all = append(all, Setting{owner, s.Name, s.Doc, s.Default})
		}
	}
	add("", train.Settings())
	for _, name := range model.Names() {
		if spec, err := model.Lookup(name); err == nil {
			add(name, spec.Settings)
		}
	}
	return all
}

// begunRuns returns the runs that were begun and are not recorded as finished, the
// earliest first.
func begunRuns(ws *workspace.Workspace) ([]*Run, error) {
	entries, err := ws.List(workspace.RunsFolder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	var runs []*Run
	for _, e := range entries {
		if _, recorded := ws.Artefact(path.Join(workspace.RunsFolder, e.Name())); recorded || !e.IsDir() {
			continue
		}
		r, err := begunRun(ws, e.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue // a folder made by somebody else, or killed before its configuration was written
		}
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	slices.SortStableFunc(runs, func(a, b *Run) int { return a.Started.Compare(b.Started) })
	return runs, nil
}
