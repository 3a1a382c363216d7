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
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// FormatVersion is the version of the folder's layout that this package writes, and
// the newest that it reads. Older ones are upgraded when they are opened.
const FormatVersion = 2

// readBy is the first program version that reads FormatVersion. It is kept in each
// manifest, so that an older program can say what it takes to read a newer workspace.
const readBy = "0.2.0"

// Manifest is workspace.json.
type Manifest struct {
	Format       int                 `json:"format"`
	ReadBy       string              `json:"read_by"` // first program version that reads this format
	Name         string              `json:"name"`
	Domain       string              `json:"domain"`
	Split        string              `json:"split"`
	SplitHash    string              `json:"split_hash"`
	Clock        string              `json:"clock"` // what times mean, as in dataset.Dataset
	Created      time.Time           `json:"created"`
	Source       Source              `json:"source"`
	Pictures     string              `json:"picture_folder,omitempty"` // where the catalogue's pictures lay when it was imported
	Users        int                 `json:"users"`
	Items        int                 `json:"items"`
	Interactions int                 `json:"interactions"`
	Artefacts    map[string]Artefact `json:"artefacts"` // by address
	Current      map[Kind]string     `json:"current"`   // addresses that commands use unless told otherwise

	// Digest is the SHA-256 of the file with this value blanked by zeros. A file without
	// one, of an earlier version or edited on purpose, is believed.
	Digest string `json:"digest,omitempty"`

	stages1 map[string]stage1 // what the manifest on disk says, if that is of format 1
}

// upgraded reports whether the manifest on disk is of an older format.
func (m Manifest) upgraded() bool { return m.stages1 != nil }

// Source says where the data came from.
type Source struct {
	Kind    string            `json:"kind"` // importer: "mmrec", "microlens", ...
	Files   []SourceFile      `json:"files,omitempty"`
	Options map[string]string `json:"options,omitempty"` // all that changes the result: split, seed, k-core, ...

	Pictures string   `json:"-"` // folder of the catalogue's pictures; no part of what the data are
	Beside   []string `json:"-"` // names of options that say what came beside the data and is no part of what they are
}

// SourceFile identifies one file that was read.
type SourceFile struct {
	Name   string `json:"name"` // base name: the folder does not matter
	SHA256 string `json:"sha256"`
	Bytes  int64  `json:"bytes"`
}

func (m Manifest) clone() Manifest {
	m.Source.Files = append([]SourceFile(nil), m.Source.Files...)
	m.Source.Options = maps.Clone(m.Source.Options)
	artefacts := make(map[string]Artefact, len(m.Artefacts))
	for address, a := range m.Artefacts {
		artefacts[address] = a.clone()
	}
	m.Artefacts, m.Current = artefacts, maps.Clone(m.Current)
	return m
}

const damagedManifest = "Import the data again into a new folder, or restore " + ManifestFile + " from a copy."

// noWorkspace says that a folder is not there, or holds something else.
func noWorkspace(dir string) error {
	return &usererr.Error{Err: fmt.Errorf("%s is no workspace: it has no %s", dir, ManifestFile),
		Kind: usererr.KindUnknown, Stage: StageImport, Hint: "Import a data set into that folder."}
}

// isNoFolder reports whether an error says that there is no folder of that name.
func isNoFolder(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}

func readManifest(dir string) (Manifest, error) {
	path := filepath.Join(dir, ManifestFile)
	raw, err := inside(dir).read(ManifestFile, manifestLimit)
	switch {
	case isNoFolder(err):
		return Manifest{}, noWorkspace(dir)
	case err != nil:
		return Manifest{}, fmt.Errorf("opening the workspace: %w", err)
	}
	m, err := parseManifest(raw)
	if err == nil && m.upgraded() {
		if err = m.upgradeRuns(dir); err != nil {
			return m, fmt.Errorf("read the runs of %s: %w", dir, err)
		}
	}
	var newer *newerFormatError
	switch {
	case errors.As(err, &newer):
		return m, usererr.Wrap(fmt.Errorf("%s: %w", path, err), "Update mllmrec.")
	case err != nil:
		return m, usererr.WrapAs(usererr.KindNotProvable, fmt.Errorf("reading %s: %w", path, err), damagedManifest)
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
	m, err := decodeManifest(raw, *head.Format)
	if err != nil {
		return Manifest{}, err
	}
	if min(m.Users, m.Items, m.Interactions) < 0 || m.SplitHash == "" {
		return Manifest{}, errors.New("a count is negative or the split's hash is missing")
	}
	for address, a := range m.Artefacts {
		if err := checkArtefact(address, a); err != nil {
			return Manifest{}, err
		}
	}
	for kind, address := range m.Current {
		if a, ok := m.Artefacts[address]; !ok || a.Kind != kind {
			return Manifest{}, fmt.Errorf("the current %s, %q, is not among the artefacts", kind, address)
		}
	}
	if err := checkDigest(raw, m); err != nil { // last: the others say more
		return Manifest{}, err
	}
	m.Digest = ""
	return m, nil
}

// decodeManifest reads a manifest of this format, or of an older one as this.
func decodeManifest(raw []byte, format int) (m Manifest, err error) {
	if format == 1 {
		var old manifest1
		if err := decodeStrictly(raw, &old); err != nil {
			return m, err
		}
		return old.upgraded()
	}
	if err := decodeStrictly(raw, &m); err != nil {
		return m, err
	}
	if m.Artefacts == nil {
		m.Artefacts = map[string]Artefact{}
	}
	if m.Current == nil {
		m.Current = map[Kind]string{}
	}
	return m, nil
}

// decodeStrictly refuses unknown fields: they would be lost at the next write.
func decodeStrictly(raw []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return placeJSON(raw, err)
	}
	return nil
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
	for address, a := range m.Artefacts {
		for name, f := range a.Files {
			f.Modified = nil // of an earlier version, and read no more
			m.Artefacts[address].Files[name] = f
		}
	}
	m.Digest = blankDigest
	raw, err := indented(m)
	if err != nil {
		return err
	}
	at := bytes.LastIndex(raw, []byte(blankDigest))
	copy(raw[at:], digestOf(raw))
	return atomicfile.Write(filepath.Join(dir, ManifestFile), func(w io.Writer) error {
		_, err := w.Write(raw)
		return err
	})
}

var blankDigest = strings.Repeat("0", 2*sha256.Size)

func digestOf(raw []byte) string {
	sum := sha256.Sum256(raw)
	return hex.EncodeToString(sum[:])
}

// checkDigest fails where the manifest is not as this program wrote it.
func checkDigest(raw []byte, m Manifest) error {
	if m.Digest == "" {
		return nil
	}
	at := bytes.LastIndex(raw, []byte(m.Digest))
	if at >= 0 && len(m.Digest) == len(blankDigest) {
		blanked := bytes.Clone(raw)
		copy(blanked[at:], blankDigest)
		if digestOf(blanked) == m.Digest {
			return nil
		}
	}
	return errors.New("it was changed since it was written; whoever did it on purpose removes its digest")
}

// indented is v as JSON for people who read it.
func indented(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// writeJSON writes v indented, atomically.
func writeJSON(path string, v any) error { return writeBy(atomicfile.Write, path, v) }

// writePrivate is writeJSON for what only the user may read.
func writePrivate(path string, v any) error { return writeBy(atomicfile.WritePrivate, path, v) }

func writeBy(write func(string, func(io.Writer) error) error, path string, v any) error {
	raw, err := indented(v)
	if err != nil {
		return err
	}
	return write(path, func(w io.Writer) error {
		_, err := w.Write(raw)
		return err
	})
}
