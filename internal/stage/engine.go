package stage

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Engine makes artefacts by the stages that it was given. For a kind that none of them
// makes it uses what the workspace has.
type Engine struct {
	*Session
	Force bool // make again what is fresh

	stages map[workspace.Kind]Stage
	again  map[workspace.Kind]bool
	have   map[workspace.Kind]string // addresses settled on by this engine
}

// NewEngine returns an engine with some stages, at most one for each kind.
func NewEngine(s *Session, stages ...Stage) *Engine {
	e := &Engine{Session: s, stages: map[workspace.Kind]Stage{}, again: map[workspace.Kind]bool{}, have: map[workspace.Kind]string{}}
	for _, st := range stages {
		e.stages[st.Makes()] = st
	}
	return e
}

// Again has a kind made anew though a fresh one is there, once.
func (e *Engine) Again(kind workspace.Kind) { e.again[kind] = true }

// Use settles a kind on one artefact, whatever is current.
func (e *Engine) Use(address string) error {
	a, ok := e.WS.Artefact(address)
	if !ok {
		return usererr.New("", "workspace %s has no artefact %s", e.WS.Dir(), address)
	}
	if err := e.intact(address); err != nil {
		return err
	}
	e.have[a.Kind] = address
	return nil
}

// Make returns the address of an artefact of a kind, made now unless it is fresh. What it
// needs is made first, in the order in which the stages name it.
func (e *Engine) Make(ctx context.Context, kind workspace.Kind) (string, error) {
	if address, ok := e.have[kind]; ok {
		return address, nil
	}
	address, err := e.settle(ctx, kind)
	if err != nil {
		return "", err
	}
	e.have[kind] = address
	return address, nil
}

func (e *Engine) settle(ctx context.Context, kind workspace.Kind) (string, error) {
	st, ok := e.stages[kind]
	if !ok {
		return e.present(kind)
	}
	inputs := Inputs{}
	for _, need := range st.Needs() {
		address, err := e.Make(ctx, need.Kind)
		if err != nil {
			return "", err
		}
		if inputs[need.Kind], err = e.WS.InputFrom(address, need.Files...); err != nil {
			return "", err
		}
	}
	if err := ctx.Err(); err != nil {
		return "", err
	}
	spec, err := st.Settle(ctx, e.Session, inputs)
	if err != nil {
		return "", err
	}
	if spec.Unsettled != nil && (e.Force || e.again[kind] || spec.Reuse == "") {
		return "", spec.Unsettled
	}
	hash := workspace.InputHash(kind, spec.Options, inputs)
	if address := e.fresh(st, spec, hash); address != "" {
		if kind == workspace.KindRun {
			e.Note(st.Name(), "%s is fresh, skipped", path.Base(address))
		} else {
			e.Note(st.Name(), "fresh, skipped: %s", address)
		}
		return address, e.WS.Select(address)
	}
	return e.build(ctx, st, spec, inputs, hash)
}

// fresh returns the artefact to use as it is; "" where one has to be made.
func (e *Engine) fresh(st Stage, spec Spec, hash string) string {
	kind := st.Makes()
	if spec.Reuse != "" {
		return spec.Reuse
	}
	if e.Force || e.again[kind] {
		return ""
	}
	address, a := e.WS.Find(kind, hash)
	if address == "" || e.WS.Check(address).State != workspace.Fresh {
		return ""
	}
	if a.Pending > 0 {
		e.Note(st.Name(), "%d texts lack an answer: going on with them", a.Pending)
		return ""
	}
	return address
}

// build has the stage make the artefact and records it.
func (e *Engine) build(ctx context.Context, st Stage, spec Spec, inputs Inputs, hash string) (address string, err error) {
	b := &Build{Session: e.Session, Spec: spec, Stage: st.Name(), Inputs: inputs, InputHash: hash, start: time.Now()}
	b.inherit()
	kind := st.Makes()
	before, old := e.WS.Find(kind, hash)
	if place, ok := st.(InPlace); ok {
		if b.Address, b.Resume, err = place.Place(e.Session, spec, hash); err != nil {
			return "", err
		}
		if err := e.WS.MakeFolder(b.Address); err != nil {
			return "", fmt.Errorf("make the folder of %s: %w", b.Address, err)
		}
	} else {
		if b.draft, err = e.WS.NewDraft(kind); err != nil {
			return "", err
		}
		defer b.draft.Discard()
	}
	if err := st.Build(ctx, b); err != nil {
		return "", err
	}
	if b.draft == nil {
		return b.Address, e.WS.Record(b.Address, b.artefact(kind))
	}
	if address, err = b.draft.Commit(spec.Name, b.artefact(kind)); err != nil {
		return "", err
	}
	if before != "" && before != address && (old.Pending > 0 || e.WS.Check(before).State != workspace.Fresh) {
		return address, e.drop(before)
	}
	return address, nil
}

// drop removes an artefact that another one has taken the place of, unless something was
// made from it.
func (e *Engine) drop(address string) error {
	for _, a := range e.WS.Manifest().Artefacts {
		for _, in := range a.Inputs {
			if in.Address == address {
				return nil
			}
		}
	}
	return e.WS.Remove(address)
}

// present returns the artefact of a kind to use where no stage makes one: the current one
// if what it was made from is what this engine works with, else the latest of which that
// is true.
func (e *Engine) present(kind workspace.Kind) (string, error) {
	current, _, ok := e.WS.Current(kind)
	if !ok {
		if modality, ok := kind.Modality(); ok && modality != workspace.Text {
			return "", NoModality(e.WS, modality)
		}
		return "", NotReady(e.WS, stageOf(kind))
	}
	for _, address := range append([]string{current}, e.WS.Addresses(kind)...) {
		if e.agrees(address) {
			return address, e.intact(address)
		}
	}
	return "", usererr.NotReady(stageOf(kind), fmt.Sprintf("Run stage %q again: it then works from what is current.", stageOf(kind)),
		"workspace %s: %s was made from something else than what is current", e.WS.Dir(), current)
}

// agrees reports whether an artefact was made from those that the engine has settled on,
// or from others of the same contents.
func (e *Engine) agrees(address string) bool {
	a, _ := e.WS.Artefact(address)
	for kind, in := range a.Inputs {
		if have, ok := e.have[kind]; ok && !e.WS.Matches(have, in) {
			return false
		}
	}
	return true
}

// intact fails where the files of an artefact are not as they were recorded.
func (e *Engine) intact(address string) error {
	c := e.WS.Check(address)
	if c.State == workspace.Fresh {
		return nil
	}
	return e.WS.NotProvable(address, c.Reason)
}

// NotReady says that a stage has to run first.
func NotReady(ws *workspace.Workspace, name string) error {
	return usererr.NotReady(name, fmt.Sprintf("Run stage %q first.", name), "workspace %s has no result of stage %q yet", ws.Dir(), name)
}

// NoModality says that item vectors of a modality did not come with the data.
func NoModality(ws *workspace.Workspace, modality string) error {
	return usererr.NotReady(workspace.StageImport, fmt.Sprintf("Import them: the same import with %s %s=FILE.npy adds them to the workspace.", usererr.Option("item-features"), modality),
		"workspace %s has no %s vectors of the items", ws.Dir(), modality)
}

// stageOf names the stage that makes a kind. Vectors of modalities are imported.
func stageOf(kind workspace.Kind) string {
	if modality, ok := kind.Modality(); ok && modality != workspace.Text {
		return workspace.StageImport
	}
	for _, name := range workspace.Stages() {
		for _, k := range workspace.KindsOf(name) {
			if k == kind {
				return name
			}
		}
	}
	return string(kind)
}
