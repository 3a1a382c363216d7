// Package build puts the stages together that a run needs, from the options of all of
// them: what 'run' does, and what a Go program asks for.
package build

import (
	"context"
	"slices"

	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/describing"
	"github.com/mllmrec/mllmrec/internal/stage/encoding"
	"github.com/mllmrec/mllmrec/internal/stage/evaluating"
	"github.com/mllmrec/mllmrec/internal/stage/graphing"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/stage/training"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Options are those of all stages.
type Options struct {
	Writer     backend.Options
	Pictures   describing.Pictures
	Long       backend.LongHistories
	Preference reasoning.Preference
	Encoder    encoder.Options
	Graph      itemgraph.Options
	Train      training.Options

	set *option.Set
}

// New returns the options with their defaults.
func New() *Options {
	o := &Options{}
	o.set = option.Of(&o.Writer, &o.Pictures, &o.Long, &o.Preference, &o.Encoder, &o.Graph, &o.Train)
	o.set.Defaults()
	return o
}

// Set returns the options by their names, for flags and for programs that name them.
func (o *Options) Set() *option.Set { return o.set }

// Result is what came of a run.
type Result struct {
	Stages     []stage.Status         `json:"stages"`
	Run        *training.Run          `json:"run"`
	Evaluation *evaluating.Evaluation `json:"evaluation"`
}

// Run makes a run of a model and its evaluation, and before these what the model needs,
// no more, skipping what is fresh. With force it makes all of it again.
func Run(ctx context.Context, s *stage.Session, o *Options, force bool) (*Result, error) {
	stages, err := o.stages(s)
	if err != nil {
		return nil, err
	}
	e := stage.NewEngine(s, stages...)
	e.Force = force
	if o.Train.Fresh {
		e.Again(workspace.KindRun)
	}
	address, err := e.Make(ctx, workspace.KindEvaluation)
	if err != nil {
		return nil, err
	}
	ev, err := evaluating.Load(s.WS, address)
	if err != nil {
		return nil, err
	}
	run, _, err := training.Find(s.WS, ev.Run)
	if err != nil {
		return nil, err
	}
	return &Result{Stages: stage.StatusOf(s.WS), Run: run, Evaluation: ev}, nil
}

// stages returns the stages that the run may need; the engine calls on those that it
// does. Options of stages that it does not need are refused.
func (o *Options) stages(s *stage.Session) ([]stage.Stage, error) {
	ws := s.WS
	train, err := training.New(o.Train)
	if err != nil {
		return nil, err
	}
	stages := []stage.Stage{train, evaluating.Stage{}}
	needs := map[workspace.Kind]bool{}
	for _, n := range train.Needs() {
		needs[n.Kind] = true
	}
	o.refuseUnread(ws, needs)
	if err := o.set.Check(); err != nil {
		return nil, err
	}
	if needs[workspace.KindItemGraph] {
		stages = append(stages, &graphing.Stage{Options: o.Graph})
	}
	if importing.HasVectors(ws) || !needs[workspace.KindItemVectors] && !needs[workspace.KindUserVectors] {
		o.sayUnread(s, importing.HasVectors(ws))
		return stages, nil
	}
	written, err := o.textStages()
	return append(stages, written...), err
}

// sayUnread says that nothing is written or encoded, where somebody may expect it.
func (o *Options) sayUnread(s *stage.Session, imported bool) {
	if imported {
		s.Note(workspace.StageEncode, "imported vectors stand in for describe, reason and encode")
		return
	}
	for _, name := range forEveryRun {
		if o.set.Given(name) {
			s.Note(workspace.StageTrain, "model %s reads interactions only: no texts are written or encoded", o.Train.Model)
			return
		}
	}
}

// refuseUnread makes options of stages that the run does not need an error. Who writes and
// who encodes may stand in a configuration for all runs: these are passed over, which Run
// says.
func (o *Options) refuseUnread(ws *workspace.Workspace, needs map[workspace.Kind]bool) {
	const leaveOut = "Leave the option out, or choose another model."
	model := o.Train.Model
	forbid := func(reason string, args []any, structs ...any) {
		names := slices.DeleteFunc(o.set.Names(structs...), func(name string) bool { return slices.Contains(forEveryRun, name) })
		o.set.Forbid(names, leaveOut, reason, args...)
	}
	writing := []any{&o.Writer, &o.Pictures, &o.Long, &o.Preference, &o.Encoder}
	switch {
	case !needs[workspace.KindItemVectors] && !needs[workspace.KindUserVectors]:
		forbid("on model %s, which reads no texts", []any{model}, writing...)
	case importing.HasVectors(ws):
		forbid("in a workspace that uses imported feature vectors", nil, writing...)
	case !needs[workspace.KindUserVectors]:
		forbid("on model %s with these settings, which reads no preferences", []any{model}, &o.Long, &o.Preference)
	}
	if !needs[workspace.KindItemGraph] {
		forbid("on model %s with these settings, which reads no item graph", []any{model}, &o.Graph)
	}
}

// forEveryRun are the options that may be given to every run.
var forEveryRun = []string{"mllm", "encoder"}

// textStages returns the stages that write texts and encode them. Both that write ask
// through the same connections and limits.
func (o *Options) textStages() ([]stage.Stage, error) {
	b, err := backend.Open(o.Writer)
	if err != nil {
		return nil, err
	}
	items, users, err := encoding.New(o.Encoder)
	if err != nil {
		return nil, err
	}
	return []stage.Stage{
		&describing.Stage{Options: describing.Options{Writer: o.Writer, Pictures: o.Pictures}, Backend: b},
		&reasoning.Stage{Options: reasoning.Options{Writer: o.Writer, Long: o.Long, Preference: o.Preference}, Backend: b},
		items, users,
	}, nil
}
