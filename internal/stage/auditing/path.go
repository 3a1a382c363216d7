package auditing

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/audit"
	"github.com/mllmrec/mllmrec/internal/encoder"
	"github.com/mllmrec/mllmrec/internal/stage/encoding"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Step is one artefact on the path from the interactions to what answers.
type Step struct {
	Address string            `json:"address"`
	Kind    workspace.Kind    `json:"kind"`
	Stage   string            `json:"stage"`
	Files   map[string]string `json:"files"` // name → SHA-256, of what is on disk and in the record alike
	From    []string          `json:"from,omitempty"`
	Saw     string            `json:"saw"` // which interactions, in words
}

// path lists what the audited vectors and the current run were made from, each after what
// it was made from, and verifies every file of it byte for byte. It fails with the names of
// all files that are not what was recorded.
func (a *auditor) path() ([]Step, error) {
	var steps []Step
	var changed []string
	seen := map[string]bool{}
	var walk func(address string)
	walk = func(address string) {
		record, ok := a.WS.Artefact(address)
		if !ok || seen[address] {
			return
		}
		seen[address] = true
		step := Step{Address: address, Kind: record.Kind, Stage: record.Stage, Files: map[string]string{}, Saw: saw(record)}
		for _, kind := range record.InputKinds() {
			from := record.Inputs[kind].Address
			walk(from)
			step.From = append(step.From, from)
		}
		for name, f := range record.Files {
			step.Files[name] = f.SHA256
		}
		if c := a.WS.Check(address); c.State != workspace.Fresh {
			changed = append(changed, c.Reason)
		}
		steps = append(steps, step)
	}
	walk(workspace.DataAddress)
	for _, address := range []string{a.items, a.users, a.run} {
		walk(address)
	}
	if len(changed) > 0 {
		return nil, usererr.Of(usererr.KindNotProvable, "Run the stages that make these files again, or bring the files back from a copy.",
			"workspace %s proves nothing: %s", a.WS.Dir(), strings.Join(changed, "; "))
	}
	return steps, nil
}

// saw says which interactions an artefact was made from.
func saw(a workspace.Artefact) string {
	_, itemVectors := a.Kind.Modality()
	switch {
	case a.Kind == workspace.KindData:
		return "all interactions, each with its label"
	case a.Leaky || a.Provenance == workspace.ProvenanceLeaky:
		return "held-out interactions too"
	case a.Provenance == workspace.ProvenanceUnknown:
		return "unknown: it was imported, or made from what was"
	case a.Kind == workspace.KindItemTexts, itemVectors:
		return "no interactions"
	}
	return "train interactions only"
}

// Reencoded says whether vectors are what their texts encode to.
type Reencoded struct {
	Checked int    `json:"checked"` // texts encoded again
	Differ  int    `json:"differ"`  // of these, with another vector than the stored one
	Note    string `json:"note,omitempty"`
}

// Limits of the check that vectors belong to their texts.
const (
	reencodeUsers   = 64
	reencodeClosest = 1 - 1e-4 // cosine; encoders that batch differently differ by 1e-6
)

// reencode encodes some preference texts again, by the encoder that is recorded, and
// compares. It proves that the stored vectors are those of the texts whose sources were
// checked, and not others put in their place with a record to match. A server is not
// asked: that could cost money.
func (a *auditor) reencode(ctx context.Context) (*Reencoded, error) {
	address := a.texts()
	if address == "" {
		return nil, nil
	}
	info, err := encoding.Recorded(a.WS, a.users)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case info.Encoder != encoder.LSA && info.Encoder != encoder.MiniLM:
		return &Reencoded{Note: fmt.Sprintf("the texts were encoded by a server (%s), which was not asked again: that the vectors are theirs rests on the record", info.Encoder)}, nil
	}
	written, err := a.WS.UserTexts(address)
	if err != nil {
		return nil, err
	}
	full, _, err := texts.Preferences(written, a.ds.UserIDs)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", address, err)
	}
	stored, err := a.Matrix(a.users, workspace.UserVectorsFile)
	if err != nil {
		return nil, err
	}
	var rows []int
	var sample []string
	step := max(1, len(full)/reencodeUsers)
	for u := 0; u < len(full) && u < stored.Rows; u += step {
		rows, sample = append(rows, u), append(sample, full[u])
	}
	a.Say(stageAudit, "encoding %d preferences again", len(sample))
	enc, err := encoding.Open(ctx, a.Session, a.users)
	if err != nil {
		return &Reencoded{Note: "the encoder could not be opened, so that the vectors are those of the texts rests on the record: " + err.Error()}, nil //nolint:nilerr // said in the report
	}
	again, err := enc.Encode(ctx, sample)
	if err != nil {
		return nil, fmt.Errorf("encode preferences again: %w", err)
	}
	r := &Reencoded{Checked: len(rows)}
	for n, u := range rows {
		if again.Cols != stored.Cols || !alike(again.Row(n), stored.Row(u)) {
			r.Differ++
		}
	}
	return r, nil
}

// alike reports whether two vectors have one direction, or both none.
func alike(x, y []float32) bool {
	var xx, yy, xy float64
	for i := range x {
		xx, yy, xy = xx+float64(x[i])*float64(x[i]), yy+float64(y[i])*float64(y[i]), xy+float64(x[i])*float64(y[i])
	}
	if xx == 0 || yy == 0 {
		return xx == yy
	}
	return xy/math.Sqrt(xx*yy) >= reencodeClosest
}

// judge lowers the verdict where vectors are not those of the texts.
func (r *Reencoded) judge(rep *audit.Report) {
	if r == nil || r.Differ == 0 {
		return
	}
	if rep.Verdict == audit.Clean {
		rep.Verdict = audit.Inconclusive
	}
	rep.Sentence = fmt.Sprintf("%d of %d user vectors are not what their texts encode to: whatever the record of the texts says, the vectors are not theirs. %s",
		r.Differ, r.Checked, rep.Sentence)
}

// sortedFiles lists the files of a step with the first digits of their hashes.
func (s Step) sortedFiles() []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.Files)) {
		all = append(all, name+" "+s.Files[name][:12])
	}
	return all
}

// Row is the step in a table for people.
func (s Step) Row() []string {
	return []string{s.Address, strings.Join(s.sortedFiles(), ", "), s.Saw}
}
