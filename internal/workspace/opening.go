package workspace

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// What small files inside a workspace may have at most, in bytes. Artefacts are bounded by
// their records.
const (
	manifestLimit = 256 << 20 // some hundred thousand artefacts
	noteLimit     = 1 << 20   // a configuration, the record of a run
)

// changedError says that a file is not what was recorded.
type changedError struct {
	path, what string
}

func (e *changedError) Error() string { return "file " + e.path + " " + e.what }

// OpenFile opens a file of an artefact after its whole content was found to be what the
// artefact's record says, whatever its size and times are. A file that is something else
// is an error of [usererr.KindNotProvable] that names it. An error is [fs.ErrNotExist] where
// the artefact has no such file.
func (w *Workspace) OpenFile(address, name string) (*os.File, error) {
	a, ok := w.Artefact(address)
	if !ok {
		return nil, fmt.Errorf("workspace %s has no artefact %s: %w", w.dir, address, fs.ErrNotExist)
	}
	f, ok := a.Files[name]
	if !ok {
		return nil, fmt.Errorf("artefact %s has no file %s: %w", address, name, fs.ErrNotExist)
	}
	w.count(f.Path)
	file, err := w.openRecorded(f)
	if err != nil {
		return nil, w.NotProvable(address, err.Error())
	}
	return file, nil
}

// NotProvable is the error about an artefact of which a file is not what was recorded; what
// names the file, as the reason of a [Check] does.
func (w *Workspace) NotProvable(address, what string) error {
	a, _ := w.Artefact(address)
	hint := fmt.Sprintf("Run stage %q again, or bring the file back from a copy.", a.Stage)
	if a.Stage == StageImport {
		hint = fmt.Sprintf("Run stage %q again, into a new folder, or bring the file back from a copy.", a.Stage)
	}
	return &usererr.Error{Err: fmt.Errorf("workspace %s: %s is not provable: %s", w.dir, address, what), Kind: usererr.KindNotProvable, Stage: a.Stage, Hint: hint}
}

// ReadFile returns the content of a small file of an artefact, checked as by
// [Workspace.OpenFile].
func (w *Workspace) ReadFile(address, name string) ([]byte, error) {
	f, err := w.OpenFile(address, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return plainfile.ReadFrom(f, manifestLimit)
}

// openRecorded opens a file if it is what was recorded; if not, the error is a
// *changedError. The hash is of the very file that is returned, which nobody replaces: this
// program renames new content into place and never writes into an old file.
func (w *Workspace) openRecorded(f File) (*os.File, error) {
	file, err := w.root.open(f.Path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &changedError{f.Path, "is missing"}
	case err != nil:
		return nil, &changedError{f.Path, "cannot be opened: " + err.Error()}
	}
	if what := differs(file, f); what != "" {
		file.Close()
		return nil, &changedError{f.Path, what}
	}
	return file, nil
}

// differs says in what an open file is not as recorded; "" where it is.
func differs(file *os.File, f File) string {
	const modified = "was modified"
	if info, err := file.Stat(); err != nil || info.Size() != f.Bytes { // before a huge one is read
		return modified
	}
	is, err := hashOf(file)
	switch {
	case err != nil:
		return "cannot be read: " + err.Error()
	case is.SHA256 != f.SHA256:
		return modified
	}
	return ""
}

// ReadNote returns the content of a small file inside the workspace that no record names,
// such as the configuration of a run that was begun.
func (w *Workspace) ReadNote(elem ...string) ([]byte, error) {
	return w.root.read(path.Join(elem...), noteLimit)
}

// OpenNote opens a file inside the workspace that no record names and that may be large,
// such as what was sent in a batch. It is a regular file, reached by no link out.
func (w *Workspace) OpenNote(rel string) (*os.File, error) {
	f, err := w.root.open(rel)
	return f, w.explainRoot(rel, err)
}

// List returns what is in a folder inside the workspace.
func (w *Workspace) List(rel string) ([]fs.DirEntry, error) {
	entries, err := w.root.list(path.Clean(rel))
	return entries, w.explainRoot(rel, err)
}

// MakeFolder makes a folder inside the workspace, and those above it. A link on the way
// that leads out of the workspace is an error: nothing is ever written outside.
func (w *Workspace) MakeFolder(rel string) error {
	switch info, err := w.root.stat(rel); {
	case err == nil && info.IsDir():
		return nil
	case err == nil:
		return usererr.Of(usererr.KindDamaged, "Remove what is there.", "%s is no folder", w.Path(rel))
	}
	return w.explainRoot(rel, w.root.mkdirAll(rel))
}

// Place returns the path of a file inside the workspace that somebody is about to open for
// writing. What is there already must be a regular file inside the workspace.
func (w *Workspace) Place(rel string) (string, error) {
	info, err := w.root.stat(rel)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, linked := w.root.lstat(rel); linked == nil { // a link to nothing: writing would make its target
			return "", usererr.Of(usererr.KindDamaged, "Remove the link.", "%s is a link to nothing", w.Path(rel))
		}
		return w.Path(rel), nil
	case err != nil:
		return "", w.explainRoot(rel, err)
	case !info.Mode().IsRegular():
		return "", usererr.Of(usererr.KindDamaged, "Remove what is there.", "%s is not a regular file", w.Path(rel))
	}
	return w.Path(rel), nil
}

// LedgerPath returns the path of the workspace's ledger of answers, for opening, and
// whether it is there.
func (w *Workspace) LedgerPath() (path string, there bool, err error) {
	return w.databasePath(GenerationsFile)
}

// LivePath returns the path of the live state of the shop that is served from the workspace,
// for opening, and whether it is there.
func (w *Workspace) LivePath() (path string, there bool, err error) {
	return w.databasePath(LiveFile)
}

// databasePath returns the path of an SQLite file. SQLite follows whatever stands in the place
// of the file and of those that it keeps beside it, so all of them must be regular files or
// absent.
func (w *Workspace) databasePath(name string) (path string, there bool, err error) {
	for _, suffix := range []string{"-wal", "-shm", "-journal", ""} {
		if path, err = w.Place(name + suffix); err != nil {
			return "", false, err
		}
	}
	there, err = exists(path)
	return path, there, err
}

// explainRoot names the whole path in an error of the workspace's root, and what to do
// about a link.
func (w *Workspace) explainRoot(rel string, err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		if strings.Contains(pe.Err.Error(), "escapes") {
			return usererr.Of(usererr.KindDamaged, "Replace the link by a folder of its own: nothing is read or written outside a workspace.",
				"%s is a link that leads out of the workspace", w.Path(rel))
		}
		return fmt.Errorf("%s: %w", w.Path(rel), pe.Err)
	}
	return err
}

// hash returns the record of a regular file; Path stays empty.
func (in inside) hash(rel string) (File, error) {
	f, err := in.open(rel)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	return hashOf(f)
}

// hashOf hashes an open file and leaves it at its beginning.
func hashOf(f *os.File) (File, error) {
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return File{}, fmt.Errorf("reading %s: %w", f.Name(), err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return File{}, err
	}
	return File{SHA256: hex.EncodeToString(h.Sum(nil)), Bytes: n}, nil
}
