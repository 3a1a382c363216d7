// Package build puts the stages together that a run needs, from the options of all of
// them: what 'run' does, and what a Go program asks for.
package build

import (
	"context"
	"fmt"
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
	Parts      describing.Parts
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
	o.set = option.Of(&o.Writer, &o.Pictures, &o.Parts, &o.Long, &o.Preference, &o.Encoder, &o.Graph, &o.Train)
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

// Prepared is what a run of some options is made from.
type Prepared struct {
	Settings map[string]string // of the model and the trainer, with what the data offers put in
	From     []string          // addresses of the artefacts, made now where they were not there
}

// Allowed fails where the data set has not what a run of the options reads, or an option has no effect. No
// server is asked.
func Allowed(s *stage.Session, o *Options) error {
	stages, err := o.stages(s)
	if err != nil {
		return err
	}
	for _, st := range stages {
		if d, ok := st.(*describing.Stage); ok { // texts are to be written
			if err := d.Parts.Check(s.WS); err != nil {
				return err
			}
		}
	}
	return stages[0].(*training.Stage).CheckTimes(s)
}

// Prepare makes what a run is made from, and not the run.
func Prepare(ctx context.Context, s *stage.Session, o *Options) (*Prepared, error) {
	stages, err := o.stages(s)
	if err != nil {
		return nil, err
	}
	train := stages[0].(*training.Stage)
	e, p := stage.NewEngine(s, stages...), &Prepared{Settings: train.Settings()}
	for _, need := range train.Needs() {
		if need.Kind == workspace.KindData {
			continue
		}
		address, err := e.Make(ctx, need.Kind)
		if err != nil {
			return nil, err
		}
		p.From = append(p.From, address)
	}
	return p, nil
}

// stages returns the stages that the run may need; the engine calls on those that it
// does. Options of stages that it does not need are refused.
func (o *Options) stages(s *stage.Session) ([]stage.Stage, error) {
	ws := s.WS
	items, users := importing.Vectors(ws)
	offered, err := training.Offered(s, o.Train, items, users)
	if err != nil {
		return nil, err
	}
	train, err := training.New(offered)
	if err != nil {
		return nil, err
	}
	stages := []stage.Stage{train, evaluating.Stage{Fitted: training.Fits(o.Train.Model)}}
	needs := map[workspace.Kind]bool{}
	for _, n := range train.Needs() {
		needs[n.Kind] = true
	}
	passedOver := o.refuseUnread(ws, needs)
	if err := o.set.Check(); err != nil {
		return nil, err
	}
	for _, note := range passedOver {
		s.Note(workspace.StageTrain, "%s", note)
	}
	if needs[workspace.KindItemGraph] {
		stages = append(stages, &graphing.Stage{Options: o.Graph})
	}
	if importing.HasVectors(ws) {
		s.Note(workspace.StageEncode, "imported vectors stand in for describe, reason and encode")
		return stages, nil
	}
	if !needs[workspace.KindItemVectors] && !needs[workspace.KindUserVectors] {
		return stages, nil
	}
	written, err := o.textStages()
	return append(stages, written...), err
}

// refuseUnread makes options of stages that the run does not need an error. Who writes and
// who encodes is passed over instead, and what is returned says so.
func (o *Options) refuseUnread(ws *workspace.Workspace, needs map[workspace.Kind]bool) (passedOver []string) {
	forbid := func(reason string, structs ...any) {
		names := o.set.Names(structs...)
		for _, name := range forEveryRun {
			if at := slices.Index(names, name); at >= 0 && o.set.Given(name) {
				names = slices.Delete(names, at, at+1)
				passedOver = append(passedOver, fmt.Sprintf("%s has no effect %s", name, reason))
			}
		}
		o.set.Forbid(names, "Leave the option out, or choose another model.", "%s", reason)
	}
	writing := []any{&o.Writer, &o.Pictures, &o.Parts, &o.Long, &o.Preference, &o.Encoder}
	model := o.Train.Model
	switch {
	case !needs[workspace.KindItemVectors] && !needs[workspace.KindUserVectors]:
		forbid("on model "+model+", which reads no texts", writing...)
	case importing.HasVectors(ws):
		forbid("in a workspace that uses imported feature vectors", writing...)
	case !needs[workspace.KindUserVectors]:
		forbid("on model "+model+" with these settings, which reads no preferences", &o.Long, &o.Preference)
	}
	if o.Parts.Silent() {
		forbid("on item texts of words alone", &o.Pictures)
	}
	if !needs[workspace.KindItemGraph] {
		forbid("on model "+model+" with these settings, which reads no item graph", &o.Graph)
	}
	return passedOver
}

// forEveryRun are the options that a command line may give for every model alike.
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
		&describing.Stage{Options: describing.Options{Writer: o.Writer, Pictures: o.Pictures, Parts: o.Parts}, Backend: b},
		&reasoning.Stage{Options: reasoning.Options{Writer: o.Writer, Long: o.Long, Preference: o.Preference}, Backend: b},
		items, users,
	}, nil
}
