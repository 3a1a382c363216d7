package workspace

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Artefact records something that a stage has made: from what, with which options, and
// the hashes of its files. It does not change once it is recorded.
type Artefact struct {
	Kind       Kind              `json:"kind"`
	Stage      string            `json:"stage"`             // that made it
	Options    map[string]string `json:"options,omitempty"` // all that decided it besides its inputs
	Inputs     map[Kind]Input    `json:"inputs,omitempty"`
	InputHash  string            `json:"input_hash"` // of kind, options and inputs; see [InputHash]
	Files      map[string]File   `json:"files"`      // by name inside the artefact
	Finished   time.Time         `json:"finished"`
	Seconds    float64           `json:"seconds"`
	Leaky      bool              `json:"leaky"`
	Provenance string            `json:"provenance,omitempty"` // "train-only", "leaky", "unknown"; empty where it means nothing
	Pending    int               `json:"pending,omitempty"`    // parts that still lack an answer: the next run goes on with them
	Info       map[string]any    `json:"info,omitempty"`
}

// Input is what an artefact was made from: another one, or some of its files.
type Input struct {
	Address string   `json:"address"`
	Files   []string `json:"files,omitempty"` // names of the files that were read; empty: all
	Hash    string   `json:"hash"`            // of the contents of these files
}

// File is one file of an artefact.
type File struct {
	Path   string `json:"path"` // inside the workspace, with slashes
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`

	// Modified stands in manifests of earlier versions, which believed a file whose size
	// and time were as recorded. It is read and written no more.
	Modified *time.Time `json:"modified,omitempty"`
}

// InputHash identifies what an artefact is made from, and so the artefact: two with one
// hash are interchangeable.
func InputHash(kind Kind, options map[string]string, inputs map[Kind]Input) string {
	hashes := map[Kind]string{}
	for k, in := range inputs {
		hashes[k] = in.Hash
	}
	if options == nil {
		options = map[string]string{}
	}
	return HashInputs(kind, options, hashes)
}

// Artefact returns the record under an address.
func (w *Workspace) Artefact(address string) (Artefact, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	a, ok := w.manifest.Artefacts[address]
	return a.clone(), ok
}

// Addresses returns the addresses of all artefacts of a kind, the latest first.
func (w *Workspace) Addresses(kind Kind) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.manifest.addresses(kind)
}

func (m Manifest) addresses(kind Kind) []string {
	var all []string
	for address, a := range m.Artefacts {
		if a.Kind == kind {
			all = append(all, address)
		}
	}
	slices.SortFunc(all, func(a, b string) int {
		if c := m.Artefacts[b].Finished.Compare(m.Artefacts[a].Finished); c != 0 {
			return c
		}
		return strings.Compare(a, b)
	})
	return all
}

// Current returns the address of the artefact of a kind that commands use unless told
// otherwise, with its record: the one that was made or asked for last.
func (w *Workspace) Current(kind Kind) (address string, a Artefact, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	address = w.manifest.Current[kind]
	a, ok = w.manifest.Artefacts[address]
	return address, a.clone(), ok
}

// Find returns the latest artefact of a kind with an input hash; "" if there is none.
func (w *Workspace) Find(kind Kind, inputHash string) (address string, a Artefact) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, address := range w.manifest.addresses(kind) {
		if a := w.manifest.Artefacts[address]; a.InputHash == inputHash {
			return address, a.clone()
		}
	}
	return "", Artefact{}
}

// InputFrom describes an artefact, or the named ones of its files, as an input. A name
// that the artefact has no file for is left out.
func (w *Workspace) InputFrom(address string, files ...string) (Input, error) {
	a, ok := w.Artefact(address)
	if !ok {
		return Input{}, fmt.Errorf("workspace %s has no artefact %s", w.dir, address)
	}
	return a.input(address, files), nil
}

func (a Artefact) input(address string, files []string) Input {
	hashes := map[string]string{}
	for name, f := range a.Files {
		if len(files) == 0 || slices.Contains(files, name) {
			hashes[name] = f.SHA256
		}
	}
	return Input{Address: address, Files: files, Hash: HashInputs(hashes)}
}

// Matches reports whether an artefact has the contents of an input in the files that were
// read: what was made from that input could as well have been made from the artefact.
func (w *Workspace) Matches(address string, in Input) bool {
	a, ok := w.Artefact(address)
	return ok && a.input(address, in.Files).Hash == in.Hash
}

// State says whether an artefact can be used.
type State uint8

// The states of an artefact.
const (
	Missing State = iota // never made
	Stale                // its files are not as they were written, or what it was made from has changed since
	Fresh                // nothing to do
)

// String returns "missing", "stale" or "fresh".
func (s State) String() string { return [...]string{"missing", "stale", "fresh"}[min(s, Fresh)] }

// MarshalText makes JSON show the word.
func (s State) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Check is a state with the reason in words ("" when fresh).
type Check struct {
	State  State  `json:"state"`
	Reason string `json:"reason,omitempty"`
}

// Check tells whether the files of an artefact are as they were recorded, by their
// contents. What this Workspace found to be so is not read again while it looks the same;
// whoever reads a file opens it by [Workspace.OpenFile], which always looks.
func (w *Workspace) Check(address string) Check {
	a, ok := w.Artefact(address)
	if !ok {
		return Check{Missing, "never made"}
	}
	for _, name := range slices.Sorted(maps.Keys(a.Files)) {
		if reason := w.checkFile(a.Files[name]); reason != "" {
			return Check{Stale, "file " + a.Files[name].Path + " " + reason}
		}
	}
	return Check{State: Fresh}
}

// checkFile returns "" when the file is as recorded, else what is wrong with it.
func (w *Workspace) checkFile(f File) string {
	info, err := w.root.stat(f.Path)
	if err == nil {
		w.mu.Lock()
		known := w.sound[f.Path]
		w.mu.Unlock()
		if known != nil && os.SameFile(known, info) && known.Size() == info.Size() && known.ModTime().Equal(info.ModTime()) {
			return ""
		}
	}
	file, err := w.openRecorded(f)
	if changed := new(changedError); errors.As(err, &changed) {
		return changed.what
	}
	if info, err = file.Stat(); err == nil {
		w.mu.Lock()
		w.sound[f.Path] = info
		w.mu.Unlock()
	}
	file.Close()
	return ""
}

// Record adds an artefact whose files lie where a.Files says, which it hashes, and makes
// it the current one of its kind. Without the lock held through [Workspace.Lock] it takes
// it for the moment.
func (w *Workspace) Record(address string, a Artefact) error {
	if a.Finished.IsZero() {
		a.Finished = time.Now().UTC()
	}
	a.Files = maps.Clone(a.Files)
	if err := checkArtefact(address, a); err != nil {
		return fmt.Errorf("record %s: %w", address, err)
	}
	for _, name := range slices.Sorted(maps.Keys(a.Files)) {
		f, err := w.root.hash(a.Files[name].Path)
		if err != nil {
			return fmt.Errorf("record %s: %w", address, err)
		}
		f.Path = a.Files[name].Path
		a.Files[name] = f
	}
	return w.change("record "+address, func(m *Manifest) error {
		m.Artefacts[address] = a
		m.Current[a.Kind] = address
		return nil
	})
}

// Select makes an artefact the current one of its kind.
func (w *Workspace) Select(address string) error {
	if a, ok := w.Artefact(address); ok {
		if now, _, _ := w.Current(a.Kind); now == address {
			return nil
		}
	}
	return w.change("select "+address, func(m *Manifest) error {
		a, ok := m.Artefacts[address]
		if !ok {
			return usererr.New("", "workspace %s has no artefact %s", w.dir, address)
		}
		m.Current[a.Kind] = address
		return nil
	})
}

// change updates the manifest under the lock, from what is on disk.
func (w *Workspace) change(what string, fn func(*Manifest) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.lock == nil {
		release, err := w.acquire()
		if err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		defer release()
	} else if err := w.reload(); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	m := w.manifest.clone()
	if err := fn(&m); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	if m.upgraded() { // when it was opened, somebody else was writing
		if err := w.carryOn(); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		m.stages1 = nil
	}
	if err := writeManifest(w.dir, m); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	w.manifest = m
	return nil
}

// checkArtefact rejects what must not stand in a manifest, above all paths that lead out
// of the workspace.
func checkArtefact(address string, a Artefact) error {
	if !known(a.Kind) {
		return fmt.Errorf("artefact %s: kind %q is unknown", address, a.Kind)
	}
	if !slices.Contains(Stages(), a.Stage) {
		return fmt.Errorf("artefact %s: stage %q is unknown (known: %s)", address, a.Stage, strings.Join(Stages(), ", "))
	}
	if !local(address) {
		return fmt.Errorf("artefact %q: its address is no path inside the workspace", address)
	}
	for kind := range a.Inputs {
		if !known(kind) || compareKinds(kind, a.Kind) >= 0 {
			return fmt.Errorf("artefact %s: %s is made from no %s", address, a.Kind, kind)
		}
	}
	for name, f := range a.Files {
		if !local(f.Path) {
			return fmt.Errorf("artefact %s: file %q is no path inside the workspace", address, f.Path)
		}
		if !local(name) {
			return fmt.Errorf("artefact %s: %q is no name of a file", address, name)
		}
	}
	switch a.Provenance {
	case "", ProvenanceTrainOnly, ProvenanceLeaky, ProvenanceUnknown:
	default:
		return fmt.Errorf("artefact %s: provenance %q (known: train-only, leaky, unknown)", address, a.Provenance)
	}
	return nil
}

func local(rel string) bool {
	return filepath.IsLocal(filepath.FromSlash(rel)) && !strings.Contains(rel, `\`) && rel != "."
}

func (a Artefact) clone() Artefact {
	a.Options, a.Inputs = maps.Clone(a.Options), maps.Clone(a.Inputs)
	a.Files, a.Info = maps.Clone(a.Files), maps.Clone(a.Info)
	return a
}
