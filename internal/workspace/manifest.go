package workspace

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// FormatVersion is the version of the folder's layout that this package writes, and
// the newest that it reads.
const FormatVersion = 1

// readBy is the first program version that reads FormatVersion. It is kept in each
// manifest, so that an older program can say what it takes to read a newer workspace.
const readBy = "0.1.0"

// Manifest is workspace.json.
type Manifest struct {
	Format       int              `json:"format"`
	ReadBy       string           `json:"read_by"` // first program version that reads this format
	Name         string           `json:"name"`
	Domain       string           `json:"domain"`
	Split        string           `json:"split"`
	SplitHash    string           `json:"split_hash"`
	Clock        string           `json:"clock"` // what times mean, as in dataset.Dataset
	Created      time.Time        `json:"created"`
	Source       Source           `json:"source"`
	Users        int              `json:"users"`
	Items        int              `json:"items"`
	Interactions int              `json:"interactions"`
	Stages       map[string]Stage `json:"stages"`
}

// Source says where the data came from.
type Source struct {
	Kind    string            `json:"kind"` // importer: "mmrec", "microlens", ...
	Files   []SourceFile      `json:"files,omitempty"`
	Options map[string]string `json:"options,omitempty"` // all that changes the result: split, seed, k-core, ...
}

// SourceFile identifies one file that was read.
type SourceFile struct {
	Name   string `json:"name"` // base name: the folder does not matter
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

// Stage records one finished stage.
type Stage struct {
	InputHash  string            `json:"input_hash"`
	Options    map[string]string `json:"options,omitempty"`
	Outputs    map[string]string `json:"outputs"` // relative path with slashes -> sha256
	Stamps     map[string]Stamp  `json:"stamps"`  // filled in by RecordStage, parallel to Outputs
	Finished   time.Time         `json:"finished"`
	Seconds    float64           `json:"seconds"`
	Leaky      bool              `json:"leaky"`
	Provenance string            `json:"provenance"` // "train-only", "leaky" or "unknown"
	Info       map[string]any    `json:"info,omitempty"`
}

// Stamp is how a file looked when it was hashed. While it looks the same its hash is
// believed.
type Stamp struct {
	Bytes    int64     `json:"bytes"`
	Modified time.Time `json:"modified"`
}

func stampOf(info fs.FileInfo) Stamp {
	return Stamp{Bytes: info.Size(), Modified: info.ModTime().UTC()}
}

func (s Stamp) equal(t Stamp) bool { return s.Bytes == t.Bytes && s.Modified.Equal(t.Modified) }

func (m Manifest) clone() Manifest {
	m.Source.Files = append([]SourceFile(nil), m.Source.Files...)
	m.Source.Options = maps.Clone(m.Source.Options)
	stages := make(map[string]Stage, len(m.Stages))
	for name, s := range m.Stages {
		s.Options, s.Outputs = maps.Clone(s.Options), maps.Clone(s.Outputs)
		s.Stamps, s.Info = maps.Clone(s.Stamps), maps.Clone(s.Info)
		stages[name] = s
	}
	m.Stages = stages
	return m
}

// HashInputs returns the SHA-256, in hex, of the parts' JSON (map keys sorted, struct
// fields in order). A part that JSON cannot hold is a mistake in the program: it panics.
func HashInputs(parts ...any) string {
	b, err := json.Marshal(parts)
	if err != nil {
		panic(fmt.Sprintf("workspace: hashing inputs: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

const damagedManifest = "Import the data again into a new folder, or restore " + ManifestFile + " from a copy."

func readManifest(dir string) (Manifest, error) {
	path := filepath.Join(dir, ManifestFile)
	raw, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Manifest{}, usererr.New("Make one with: mllmrec import ... --out "+dir, "%s is no workspace: it has no %s", dir, ManifestFile)
	case err != nil:
		return Manifest{}, fmt.Errorf("opening the workspace: %w", err)
	}
	m, err := parseManifest(raw)
	var newer *newerFormatError
	switch {
	case errors.As(err, &newer):
		return m, usererr.Wrap(fmt.Errorf("%s: %w", path, err), "Update mllmrec.")
	case err != nil:
		return m, usererr.Wrap(fmt.Errorf("reading %s: %w", path, err), damagedManifest)
	}
	return m, nil
}

type newerFormatError struct {
	format int
	readBy string
}

func (e *newerFormatError) Error() string {
	need := "a newer mllmrec"
	if e.readBy != "" {
		need = "mllmrec " + e.readBy + " or newer"
	}
	return fmt.Sprintf("the workspace has format %d, this program reads up to %d; it needs %s", e.format, FormatVersion, need)
}

// parseManifest looks at the format before anything else: a newer manifest may not
// even parse as ours.
func parseManifest(raw []byte) (Manifest, error) {
	var head struct {
		Format *int   `json:"format"`
		ReadBy string `json:"read_by"`
	}
	if err := json.Unmarshal(raw, &head); err != nil {
		return Manifest{}, placeJSON(raw, err)
	}
	if head.Format == nil || *head.Format < 1 {
		return Manifest{}, errors.New("it names no format; it is not the manifest of a workspace")
	}
	if *head.Format > FormatVersion {
		return Manifest{}, &newerFormatError{*head.Format, head.ReadBy}
	}
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields() // an unknown field would be lost at the next write
	if err := d.Decode(&m); err != nil {
		return Manifest{}, placeJSON(raw, err)
	}
	if min(m.Users, m.Items, m.Interactions) < 0 || m.SplitHash == "" {
		return Manifest{}, errors.New("a count is negative or the split's hash is missing")
	}
	for name, s := range m.Stages {
		if err := checkStage(name, s); err != nil {
			return Manifest{}, err
		}
	}
	if m.Stages == nil {
		m.Stages = map[string]Stage{}
	}
	return m, nil
}

// placeJSON adds the line and column to an error of encoding/json.
func placeJSON(raw []byte, err error) error {
	offset := int64(-1)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		offset = syntax.Offset
	case errors.As(err, &kind):
		offset = kind.Offset
	}
	if offset < 0 || offset > int64(len(raw)) {
		return err
	}
	before := raw[:offset]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	return fmt.Errorf("line %d, column %d: %w", line, max(column, 1), err)
}

func writeManifest(dir string, m Manifest) error {
	return writeJSON(filepath.Join(dir, ManifestFile), m)
}

// writeJSON writes v indented, for people who read it, atomically.
func writeJSON(path string, v any) error {
	return atomicfile.Write(path, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		return e.Encode(v)
	})
}
