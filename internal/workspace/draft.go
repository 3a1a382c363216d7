package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
)

// draftMark begins the names of folders in which artefacts are being made.
const draftMark = ".making-"

// Draft is a folder in which an artefact is being made. Nobody sees it under an address
// before [Draft.Commit].
type Draft struct {
	w    *Workspace
	kind Kind
	rel  string
}

// NewDraft makes an empty folder for an artefact of a kind. What a killed process leaves
// is swept by the next [Workspace.Lock].
func (w *Workspace) NewDraft(kind Kind) (*Draft, error) {
	d := &Draft{w, kind, path.Join(folderOf(kind), draftMark+strconv.FormatUint(rand.Uint64(), 36))}
	if err := w.MakeFolder(d.rel); err != nil {
		return nil, fmt.Errorf("make a folder for %s: %w", kind, err)
	}
	return d, nil
}

// Path returns where a file of the artefact is to be written.
func (d *Draft) Path(name string) string { return d.w.Path(d.rel, name) }

// Discard removes the folder. After a Commit it does nothing.
func (d *Draft) Discard() {
	d.w.root.removeAll(d.rel) //nolint:errcheck // what stays is swept by the next writer
}

// Commit gives the folder its address, folder/name-hash with the first digits of the
// input hash, and records the artefact with all files in it. When an artefact of the same
// input hash and contents is there already, that one stays, its files mended if they were
// damaged, and the draft goes; when its contents differ, the new one gets a number behind
// its address.
func (d *Draft) Commit(name string, a Artefact) (address string, err error) {
	a.Kind = d.kind
	if a.Finished.IsZero() {
		a.Finished = time.Now().UTC()
	}
	names, err := d.files()
	if err != nil {
		return "", err
	}
	hashes := map[string]string{}
	for _, n := range names {
		f, err := d.w.root.hash(path.Join(d.rel, n))
		if err != nil {
			return "", fmt.Errorf("record %s: %w", name, err)
		}
		hashes[n] = f.SHA256
	}
	d.w.committing.Lock()
	defer d.w.committing.Unlock()
	if twin := d.w.twin(a, hashes); twin != "" {
		if err := d.mend(twin); err != nil {
			return "", fmt.Errorf("bring back the files of %s: %w", twin, err)
		}
		d.Discard()
		return twin, d.w.renew(twin, a)
	}
	address = d.w.freeAddress(d.kind, name, a.InputHash)
	if err := d.w.root.rename(d.rel, address); err != nil {
		return "", fmt.Errorf("give %s its address: %w", name, err)
	}
	if err := atomicfile.SyncDir(filepath.Dir(d.w.Path(address))); err != nil {
		return "", fmt.Errorf("give %s its address: %w", name, err)
	}
	a.Files = map[string]File{}
	for _, n := range names {
		a.Files[n] = File{Path: path.Join(address, n)}
	}
	return address, d.w.Record(address, a)
}

// files lists the files of the draft, which has no folders in it.
func (d *Draft) files() ([]string, error) {
	entries, err := d.w.List(d.rel)
	if err != nil {
		return nil, fmt.Errorf("list what was made: %w", err)
	}
	var names []string
	for _, e := range entries {
		if !e.Type().IsRegular() {
			return nil, fmt.Errorf("list what was made: %s is no regular file", e.Name())
		}
		names = append(names, e.Name())
	}
	return names, nil
}

// mend puts files of the draft in the place of damaged ones of an artefact that was
// recorded with the same contents: what was made from it stays usable.
func (d *Draft) mend(twin string) error {
	a, _ := d.w.Artefact(twin)
	for name, f := range a.Files {
		if d.w.checkFile(f) == "" {
			continue
		}
		if err := d.w.MakeFolder(path.Dir(f.Path)); err != nil {
			return err
		}
		if err := d.w.root.rename(path.Join(d.rel, name), f.Path); err != nil {
			return err
		}
		if err := atomicfile.SyncDir(filepath.Dir(d.w.Path(f.Path))); err != nil {
			return err
		}
	}
	return nil
}

// twin returns the address of an artefact that was recorded with the same input hash and
// contents; "" if there is none. Intact ones come first.
func (w *Workspace) twin(a Artefact, hashes map[string]string) string {
	damaged := ""
	for _, address := range w.Addresses(a.Kind) {
		other, _ := w.Artefact(address)
		if other.InputHash != a.InputHash || len(other.Files) != len(hashes) {
			continue
		}
		same := true
		for name, f := range other.Files {
			same = same && f.SHA256 == hashes[name]
		}
		switch {
		case !same:
		case w.Check(address).State == Fresh:
			return address
		case damaged == "":
			damaged = address
		}
	}
	return damaged
}

// renew records that an artefact was made again, with the same result.
func (w *Workspace) renew(address string, a Artefact) error {
	return w.change("record "+address, func(m *Manifest) error {
		was := m.Artefacts[address]
		was.Finished, was.Seconds, was.Info, was.Pending = a.Finished, a.Seconds, a.Info, a.Pending
		m.Artefacts[address], m.Current[a.Kind] = was, address
		return nil
	})
}

// freeAddress returns an address at which nothing is recorded. A folder that nobody
// recorded is what a killed process left of a commit: it is removed.
func (w *Workspace) freeAddress(kind Kind, name, inputHash string) string {
	base := path.Join(folderOf(kind), name+"-"+short(inputHash))
	for n := 1; ; n++ {
		address := base
		if n > 1 {
			address = fmt.Sprintf("%s-%d", base, n)
		}
		if _, taken := w.Artefact(address); taken {
			continue
		}
		if kind != KindRun || w.neverBegun(address) {
			w.root.removeAll(address) //nolint:errcheck // what stays is passed over
		}
		if _, err := os.Lstat(w.Path(address)); errors.Is(err, fs.ErrNotExist) {
			return address
		}
	}
}

// neverBegun reports whether the folder of a run holds nothing but unfinished writes: its
// training was killed before it had begun.
func (w *Workspace) neverBegun(run string) bool {
	entries, err := w.List(run)
	return err == nil && !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return !atomicfile.IsTemp(e.Name()) })
}

// FreeRun returns the address of a new run, at which no folder exists.
func (w *Workspace) FreeRun(model, inputHash string) string {
	return w.freeAddress(KindRun, model, inputHash)
}

// Remove takes artefacts out of the manifest and then removes their files and folders.
// Those that stand in the manifest as inputs of others must be removed with these, and
// the imported data stays. Where the current artefact of a kind goes, the latest of those
// left takes its place.
func (w *Workspace) Remove(addresses ...string) error {
	gone := map[string]Artefact{}
	err := w.change("remove artefacts", func(m *Manifest) error {
		for _, address := range addresses {
			a, ok := m.Artefacts[address]
			if !ok {
				continue
			}
			if a.Kind == KindData {
				return errors.New("the imported data cannot be removed")
			}
			gone[address] = a
			delete(m.Artefacts, address)
		}
		m.fillCurrent()
		return m.miss(gone)
	})
	if err != nil {
		return err
	}
	kept := map[string]bool{} // files of format 1 may belong to several artefacts
	for _, a := range w.Manifest().Artefacts {
		for _, f := range a.Files {
			kept[f.Path] = true
		}
	}
	var errs []error
	for _, a := range gone {
		for _, f := range a.Files {
			if !kept[f.Path] {
				errs = append(errs, w.removeFile(f.Path))
			}
		}
	}
	for address := range gone {
		if w.holdsNothing(address, kept) {
			errs = append(errs, w.root.removeAll(address))
		}
	}
	return errors.Join(errs...)
}

// fillCurrent has the latest artefact of a kind take the place of a current one that is
// gone.
func (m Manifest) fillCurrent() {
	for kind, address := range m.Current {
		if _, there := m.Artefacts[address]; there {
			continue
		}
		delete(m.Current, kind)
		if left := m.addresses(kind); len(left) > 0 {
			m.Current[kind] = left[0]
		}
	}
}

// miss fails where an artefact was made from one of those that are gone.
func (m Manifest) miss(gone map[string]Artefact) error {
	for _, address := range slices.Sorted(maps.Keys(m.Artefacts)) {
		for _, in := range m.Artefacts[address].Inputs {
			if _, lost := gone[in.Address]; lost {
				return fmt.Errorf("%s is needed by %s", in.Address, address)
			}
		}
	}
	return nil
}

func (w *Workspace) holdsNothing(address string, kept map[string]bool) bool {
	for p := range maps.Keys(kept) {
		if strings.HasPrefix(p, address+"/") {
			return false
		}
	}
	return local(address) && strings.Contains(address, "/")
}

func (w *Workspace) removeFile(rel string) error {
	if err := w.root.remove(rel); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Leftovers returns folders, relative to the workspace, that look like artefacts and that
// no record names: what killed processes left. Runs that were begun are none of them.
func (w *Workspace) Leftovers() []string {
	var left []string
	m := w.Manifest()
	for _, folder := range []string{"texts", "features", "graphs", "evaluations"} {
		entries, err := w.List(folder)
		if err != nil {
			continue
		}
		for _, e := range entries {
			rel := path.Join(folder, e.Name())
			if _, ok := m.Artefacts[rel]; e.IsDir() && !ok && (strings.HasPrefix(e.Name(), draftMark) || looksLikeAddress(e.Name())) {
				left = append(left, rel)
			}
		}
	}
	return left
}

// RemoveLeftover removes a folder that [Workspace.Leftovers] named. It follows no link.
func (w *Workspace) RemoveLeftover(rel string) error {
	return w.root.removeAll(rel)
}

// looksLikeAddress reports whether a folder's name ends like an address: eight hex
// digits, perhaps with a number behind them.
func looksLikeAddress(name string) bool {
	parts := strings.Split(name, "-")
	last := parts[len(parts)-1]
	if len(parts) > 2 && len(last) < 8 {
		if _, err := strconv.Atoi(last); err == nil {
			last = parts[len(parts)-2]
		}
	}
	return len(parts) > 1 && len(last) == 8 && strings.Trim(last, "0123456789abcdef") == ""
}

// sweepDrafts removes drafts of dead processes; the lock says that nobody else makes any.
func (w *Workspace) sweepDrafts() {
	for _, folder := range []string{"texts", "features", "graphs", RunsFolder, "evaluations"} {
		entries, err := w.List(folder)
		if err != nil {
			continue
		}
		for _, e := range entries {
			if strings.HasPrefix(e.Name(), draftMark) {
				w.root.removeAll(path.Join(folder, e.Name())) //nolint:errcheck // what stays is swept next time
			}
		}
	}
}
