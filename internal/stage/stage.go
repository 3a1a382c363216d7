// Package stage is the engine that makes artefacts in a workspace: texts, vectors, graphs,
// runs, evaluations. It knows no stage. Each is a package below this one that says what
// it makes, from what, under which options, and how; what is asked for is planned backwards
// from that, so that nothing is built, or even looked at, that it does not need.
//
// The engine alone knows whether an artefact is fresh, where an interrupted one goes on,
// what is reported on the way, which provenance and leak label a result inherits, and
// under which address it is kept.
package stage

import (
	"context"
	"path"
	"time"

	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Stage makes one kind of artefact out of others.
type Stage interface {
	// Name is what people call the stage, one of workspace.Stages.
	Name() string
	// Makes is the kind of artefact that it makes.
	Makes() workspace.Kind
	// Needs returns what it reads, under its present options.
	Needs() []Need
	// Settle says which artefact these inputs give: what stands in its address, and the
	// options that decide it. It may ask a server, and must not write.
	Settle(ctx context.Context, s *Session, in Inputs) (Spec, error)
	// Build makes the artefact that Settle has described.
	Build(ctx context.Context, b *Build) error
}

// Need is a kind of artefact that a stage reads, whole or some of its files.
type Need struct {
	Kind  workspace.Kind
	Files []string // names of files; empty: all
}

// Spec describes an artefact before it is made.
type Spec struct {
	Name    string            // the readable part of its address, such as "lsa-d384"
	Options map[string]string // all that decides it besides its inputs
	// Unsettled is why the stage cannot settle its options: a model server that does not
	// answer leaves open which weights it has. Reuse is the address of an artefact that
	// fits as far as is known.
	Unsettled error
	Reuse     string
}

// InPlace is implemented by stages whose work is kept while it goes on, in the folder
// that will be the artefact's: a killed training resumes there.
type InPlace interface {
	// Place returns the address to work under, and whether begun work is there.
	Place(s *Session, spec Spec, inputHash string) (address string, resume bool, err error)
}

// Inputs are the artefacts that a stage reads, by kind.
type Inputs map[workspace.Kind]workspace.Input

// Address returns where the input of a kind stands; "" where the stage does not need it.
func (in Inputs) Address(kind workspace.Kind) string { return in[kind].Address }

// InfoTimes is where the Info of a record keeps what differs between two results that were
// made in the same way: times, and how much an interrupted stage had left.
const InfoTimes = "times"

// Build is an artefact under way. The stage writes its files to where Path says and sets
// what is known of it.
type Build struct {
	*Session
	Spec
	Stage     string
	Inputs    Inputs
	InputHash string
	Resume    bool   // of a stage that works in place: begun work is there
	Address   string // of a stage that works in place; elsewhere "" until the work is done

	// What the record says. Leaky and Provenance begin as what the inputs hand down.
	Leaky      bool
	Provenance string
	Pending    int // parts that lack an answer still
	Info       map[string]any
	Files      []string // of a stage that works in place: the files that make up the artefact

	start time.Time
	draft *workspace.Draft
}

// Path returns where to write a file of the artefact.
func (b *Build) Path(name string) string {
	if b.draft != nil {
		return b.draft.Path(name)
	}
	return b.WS.Path(b.Address, name)
}

// Progress reports a step.
func (b *Build) Progress(format string, args ...any) { b.Say(b.Stage, format, args...) }

// Done reports, in words, what came of the work.
func (b *Build) Done(format string, args ...any) { b.Finish(b.Stage, b.start, format, args...) }

// inherit sets what the inputs hand down: leaky if one of them is, of unknown provenance
// if one of them is, else train-only.
func (b *Build) inherit() {
	b.Provenance = workspace.ProvenanceTrainOnly
	for _, in := range b.Inputs {
		a, _ := b.WS.Artefact(in.Address)
		switch {
		case a.Leaky:
			b.Leaky, b.Provenance = true, workspace.ProvenanceLeaky
		case a.Provenance == workspace.ProvenanceUnknown && !b.Leaky:
			b.Provenance = workspace.ProvenanceUnknown
		}
	}
}

// artefact is the record of what was made.
func (b *Build) artefact(kind workspace.Kind) workspace.Artefact {
	a := workspace.Artefact{Kind: kind, Stage: b.Stage, Options: b.Options, Inputs: b.Inputs, InputHash: b.InputHash,
		Finished: time.Now().UTC(), Seconds: time.Since(b.start).Seconds(), Leaky: b.Leaky, Provenance: b.Provenance, Pending: b.Pending, Info: b.Info}
	if b.draft == nil {
		a.Files = map[string]workspace.File{}
		for _, name := range b.Files {
			a.Files[name] = workspace.File{Path: path.Join(b.Address, name)}
		}
	}
	return a
}
