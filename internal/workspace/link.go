package workspace

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
)

// Link makes a workspace in the folder dir that has the imported data, the artefacts under the given addresses and what
// these were made from, and nothing else: what is made there does not touch this workspace, and several can
// be worked in at once. Files are the same on disk where the file system allows it, since an artefact never
// changes, and copies elsewhere. A workspace that is there already is left as it is: the manifest
// comes last.
func (w *Workspace) Link(dir string, addresses ...string) error {
	if _, err := os.Stat(filepath.Join(dir, ManifestFile)); err == nil {
		return nil
	}
	m := w.Manifest()
	wanted := map[string]Artefact{}
	var take func(address string) error
	take = func(address string) error {
		a, ok := m.Artefacts[address]
		if _, taken := wanted[address]; taken {
			return nil
		}
		if !ok {
			return fmt.Errorf("link workspace %s: there is no artefact %s", w.dir, address)
		}
		if c := w.Check(address); c.State != Fresh {
			return w.NotProvable(address, c.Reason)
		}
		wanted[address] = a
		for _, in := range a.Inputs {
			if err := take(in.Address); err != nil {
				return err
			}
		}
		return nil
	}
	for _, address := range append(m.addresses(KindData), addresses...) {
		if err := take(address); err != nil {
			return err
		}
	}
	for kind, address := range m.Current {
		if _, ok := wanted[address]; !ok {
			delete(m.Current, kind)
		}
	}
	for _, address := range slices.Backward(addresses) {
		m.Current[wanted[address].Kind] = address
	}
	m.Artefacts = wanted
	for address, a := range wanted {
		if _, ok := m.Current[a.Kind]; !ok {
			m.Current[a.Kind] = address
		}
		for _, f := range a.Files {
			if err := w.linkFile(f.Path, filepath.Join(dir, filepath.FromSlash(f.Path))); err != nil {
				return fmt.Errorf("link workspace %s: %w", w.dir, err)
			}
		}
	}
	return writeManifest(dir, m)
}

// linkFile puts the file rel of the workspace at a place outside it.
func (w *Workspace) linkFile(rel, to string) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return err
	}
	if info, err := w.root.lstat(rel); err == nil && info.Mode().IsRegular() {
		if err := os.Link(w.Path(rel), to); err == nil || errors.Is(err, fs.ErrExist) {
			return nil
		}
	}
	from, err := w.root.open(rel)
	if err != nil {
		return err
	}
	defer from.Close()
	return atomicfile.Write(to, func(dst io.Writer) error {
		_, err := io.Copy(dst, from)
		return err
	})
}
