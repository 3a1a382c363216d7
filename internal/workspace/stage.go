package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// The stages, in the order of [Stages].
const (
	StageImport   = "import"
	StageDescribe = "describe"
	StageReason   = "reason"
	StageEncode   = "encode"
	StageGraph    = "graph"
	StageTrain    = "train"
	StageEvaluate = "evaluate"
)

// Stages returns the names of all stages in the order in which they run.
func Stages() []string {
	return []string{StageImport, StageDescribe, StageReason, StageEncode, StageGraph, StageTrain, StageEvaluate}
}

// Provenance values of a [Stage]: what the training signal behind an artefact saw.
const (
	ProvenanceTrainOnly = "train-only"
	ProvenanceLeaky     = "leaky"
	ProvenanceUnknown   = "unknown"
)

// State says whether a stage has to run.
type State uint8

// The states of a stage.
const (
	Missing State = iota // never finished
	Stale                // made from something else, or its outputs are not as they were written
	Fresh                // nothing to do
)

// String returns "missing", "stale" or "fresh".
func (s State) String() string { return [...]string{"missing", "stale", "fresh"}[min(s, Fresh)] }

// MarshalText makes JSON show the word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Check is a stage's state with the reason in words ("" when fresh).
type Check struct {
	State  State  `json:"state"`
	Reason string `json:"reason,omitempty"`
}

// RecordStage notes that a stage has finished: it hashes the files named by the keys
// of st.Outputs (the values are ignored), re-reads the manifest under the lock, and
// replaces it. A zero st.Finished becomes now. Without the lock held through
// [Workspace.Lock] it takes it for the moment.
func (w *Workspace) RecordStage(name string, st Stage) error {
	if st.Finished.IsZero() {
		st.Finished = time.Now().UTC()
	}
	outputs := slices.Sorted(maps.Keys(st.Outputs))
	st.Outputs, st.Stamps = map[string]string{}, map[string]Stamp{}
	for _, rel := range outputs {
		st.Outputs[rel] = ""
	}
	if err := checkStage(name, st); err != nil {
		return fmt.Errorf("recording stage %s: %w", name, err)
	}
	for _, rel := range outputs {
		sum, stamp, err := hashFile(w.Path(rel))
		if err != nil {
			return fmt.Errorf("recording stage %s: output %s: %w", name, rel, err)
		}
		st.Outputs[rel], st.Stamps[rel] = sum, stamp
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lock == nil {
		release, err := w.acquire()
		if err != nil {
			return fmt.Errorf("recording stage %s: %w", name, err)
		}
		defer release()
	} else if err := w.reload(); err != nil {
		return fmt.Errorf("recording stage %s: %w", name, err)
	}
	m := w.manifest.clone()
	m.Stages[name] = st
	if err := writeManifest(w.dir, m); err != nil {
		return fmt.Errorf("recording stage %s: %w", name, err)
	}
	w.manifest = m
	return nil
}

// ForgetStage removes a stage's record, so that it counts as missing.
func (w *Workspace) ForgetStage(name string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lock == nil {
		release, err := w.acquire()
		if err != nil {
			return fmt.Errorf("forgetting stage %s: %w", name, err)
		}
		defer release()
	} else if err := w.reload(); err != nil {
		return fmt.Errorf("forgetting stage %s: %w", name, err)
	}
	m := w.manifest.clone()
	delete(m.Stages, name)
	if err := writeManifest(w.dir, m); err != nil {
		return fmt.Errorf("forgetting stage %s: %w", name, err)
	}
	w.manifest = m
	return nil
}

// checkStage rejects what must not stand in a manifest, above all output paths that
// lead out of the workspace.
func checkStage(name string, st Stage) error {
	if !slices.Contains(Stages(), name) {
		return fmt.Errorf("stage %q is unknown (known: %s)", name, strings.Join(Stages(), ", "))
	}
	for rel := range st.Outputs {
		if !filepath.IsLocal(filepath.FromSlash(rel)) || strings.Contains(rel, `\`) || rel == "." {
			return fmt.Errorf("stage %s: output %q is no path inside the workspace", name, rel)
		}
	}
	switch st.Provenance {
	case "", ProvenanceTrainOnly, ProvenanceLeaky, ProvenanceUnknown:
	default:
		return fmt.Errorf("stage %s: provenance %q (known: train-only, leaky, unknown)", name, st.Provenance)
	}
	return nil
}

// StageState tells whether a stage has to run: Fresh when it was made from inputs of
// this hash and its outputs are as it wrote them. An empty hash asks about the outputs
// only.
func (w *Workspace) StageState(name, wantInputHash string) State {
	return w.CheckStage(name, wantInputHash, nil).State
}

// CheckStage is [Workspace.StageState] with the reason. Options, when given, are the
// stage's options now; one that differs from the recorded is named in the reason.
// Outputs whose size and time are as recorded are not read; others are hashed again.
func (w *Workspace) CheckStage(name, wantInputHash string, options map[string]string) Check {
	w.mu.Lock()
	st, ok := w.manifest.Stages[name]
	w.mu.Unlock()
	if !ok {
		return Check{Missing, "never run"}
	}
	if wantInputHash != "" && st.InputHash != wantInputHash {
		return Check{Stale, "input changed: " + whatChanged(st, wantInputHash, options)}
	}
	for _, rel := range slices.Sorted(maps.Keys(st.Outputs)) {
		if reason := w.checkOutput(rel, st); reason != "" {
			return Check{Stale, "output " + rel + " " + reason}
		}
	}
	return Check{State: Fresh}
}

func whatChanged(st Stage, want string, options map[string]string) string {
	if options != nil {
		keys := slices.Sorted(maps.Keys(options))
		for k := range st.Options {
			if _, ok := options[k]; !ok {
				keys = append(keys, k)
			}
		}
		slices.Sort(keys)
		for _, k := range keys {
			was, had := st.Options[k]
			is, has := options[k]
			switch {
			case !had:
				return fmt.Sprintf("option %s is new (%s)", k, is)
			case !has:
				return fmt.Sprintf("option %s is gone (was %s)", k, was)
			case was != is:
				return fmt.Sprintf("option %s was %s, is %s", k, was, is)
			}
		}
	}
	return fmt.Sprintf("made from %s, now %s", short(st.InputHash), short(want))
}

func short(hash string) string { return hash[:min(len(hash), 8)] }

// checkOutput returns "" when the file is as recorded, else what is wrong with it.
func (w *Workspace) checkOutput(rel string, st Stage) string {
	path := w.Path(rel)
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "is missing"
	case err != nil:
		return "cannot be looked at: " + err.Error()
	}
	if stampOf(info).equal(st.Stamps[rel]) {
		return ""
	}
	if info.Size() != st.Stamps[rel].Bytes {
		return "was modified"
	}
	w.mu.Lock()
	known := w.hashed[rel]
	w.mu.Unlock()
	if !known.stamp.equal(stampOf(info)) { // a copied workspace is hashed once, not at each call
		sum, stamp, err := hashFile(path)
		if err != nil {
			return "cannot be read: " + err.Error()
		}
		known = hashed{stamp, sum}
		w.mu.Lock()
		w.hashed[rel] = known
		w.mu.Unlock()
	}
	if known.sum != st.Outputs[rel] {
		return "was modified"
	}
	return ""
}

// hashFile returns a file's SHA-256 in hex and its stamp.
func hashFile(path string) (string, Stamp, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", Stamp{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", Stamp{}, err
	}
	if !info.Mode().IsRegular() {
		return "", Stamp{}, fmt.Errorf("%s is no regular file", path)
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", Stamp{}, fmt.Errorf("reading %s: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), stampOf(info), nil
}

// HashFile returns the base name, SHA-256 and size of a file, as [Source] wants them.
func HashFile(path string) (SourceFile, error) {
	sum, stamp, err := hashFile(path)
	if err != nil {
		return SourceFile{}, err
	}
	return SourceFile{Name: filepath.Base(path), SHA256: sum, Bytes: stamp.Bytes}, nil
}
