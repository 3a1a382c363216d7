// Package workspace keeps one data set and all that was made from it in one folder, in
// formats that other tools read.
//
//	workspace.json                       manifest: counts, source, split, every artefact and what it was made from
//	items.parquet users.parquet          the catalogue and the users; row = index
//	interactions.parquet                 user, item, label, rating, time
//	generations.db                       every answer of a language model
//	live.db                              feedback, edits and keys of the shop that is served
//	texts/<name>-<hash>/                 generated texts, items.parquet or users.parquet
//	features/<name>-<hash>/              text vectors, items.npy or users.npy, and encoder.json
//	graphs/<name>-<hash>/                the refined item graph, item.npz
//	runs/<model>-<hash>/                 config, metrics, weights, vectors of one training
//	evaluations/<run>-<hash>/            metrics of a run
//
// What a stage makes is an [Artefact] under an address: a name that people can read and
// the first digits of a hash of its options and inputs. Artefacts of one kind stand side
// by side and never change, so that what was made from them stays usable.
//
// Writes are atomic, a second writer is turned away by a lock, readers need none.
//
// The package is longer than 2,000 lines because the manifest, the artefacts, the lock, the
// upgrade of older formats and the files of the data set change together under one lock:
// apart, they would export to each other what nobody else may touch.
package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gofrs/flock"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Names of files and folders inside a workspace.
const (
	ManifestFile     = "workspace.json"
	ItemsFile        = "items.parquet"
	UsersFile        = "users.parquet"
	InteractionsFile = "interactions.parquet"
	GenerationsFile  = "generations.db"
	LiveFile         = "live.db"
	RunsFolder       = "runs"
	ImagesFolder     = "images" // where relative Item.Image paths begin

	lockFile   = "workspace.lock"
	holderFile = "workspace.lock.json"
)

// FoldVectorsFile names the user vectors made from the texts blind to fold k.
func FoldVectorsFile(k int) string { return fmt.Sprintf("users.fold%d.npy", k) }

// Workspace is an open workspace folder. Its methods are safe for concurrent use.
type Workspace struct {
	dir  string
	root inside // dir: what is opened by it lies inside

	mu       sync.Mutex
	manifest Manifest
	lock     *flock.Flock           // nil while this Workspace does not hold the lock
	sound    map[string]fs.FileInfo // files that Check found to be as recorded, by relative path
	data     *dataset.Dataset
	reads    map[string]int // how often each file was opened, by relative path

	reading sync.Mutex     // held while these are read, so that they are read once
	items   []dataset.Item // read when first needed
	userIDs []string       // read when first needed

	loading    sync.Mutex // held while data is read, so that it is read once
	committing sync.Mutex // held from the choice of an address until it is recorded
}

// Open opens an existing workspace. It takes no lock: files are replaced whole, so a
// reader sees each as it was before or after a change. A workspace of an older format is
// upgraded; where it cannot be written to, it is read as if it were.
func Open(dir string) (*Workspace, error) {
	m, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	w := &Workspace{dir: dir, root: inside(dir), manifest: m, sound: map[string]fs.FileInfo{}, reads: map[string]int{}}
	if m.upgraded() {
		if err := w.saveUpgrade(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Dir returns the folder as it was given to [Open] or [Create].
func (w *Workspace) Dir() string { return w.dir }

// Path joins elem to the workspace's folder; slashes work on every system.
func (w *Workspace) Path(elem ...string) string {
	parts := make([]string, 0, len(elem)+1)
	parts = append(parts, w.dir)
	for _, e := range elem {
		parts = append(parts, filepath.FromSlash(e))
	}
	return filepath.Join(parts...)
}

// Manifest returns a copy of the manifest as last read: at [Open], [Workspace.Reload],
// [Workspace.Lock] or [Workspace.Record].
func (w *Workspace) Manifest() Manifest {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.manifest.clone()
}

// Reload reads the manifest again, to see what other processes have recorded.
func (w *Workspace) Reload() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.reload()
}

func (w *Workspace) reload() error {
	m, err := readManifest(w.dir)
	if err != nil {
		return err
	}
	w.manifest = m
	return nil
}

// Items reads the catalogue, after checking that its file is that of the import. The
// slice must not be modified.
func (w *Workspace) Items() ([]dataset.Item, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	if w.items != nil {
		return w.items, nil
	}
	f, err := w.OpenFile(DataAddress, ItemsFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	items, err := readItems(f)
	if err != nil {
		return nil, err
	}
	if n := w.Manifest().Items; len(items) != n {
		return nil, usererr.Of(usererr.KindDamaged, importAgain, "workspace %s: %d items on disk, %s says %d", w.dir, len(items), ManifestFile, n)
	}
	w.items = items
	return items, nil
}

// Dataset reads catalogue, users and interactions, after checking that their files
// are those of the import. They are read once: every call returns the same data set, which
// must not be modified.
func (w *Workspace) Dataset() (*dataset.Dataset, error) {
	w.loading.Lock()
	defer w.loading.Unlock()
	if w.data != nil {
		return w.data, nil
	}
	ds, err := w.readDataset()
	if err == nil {
		w.data = ds
	}
	return ds, err
}

func (w *Workspace) readDataset() (*dataset.Dataset, error) {
	items, err := w.Items()
	if err != nil {
		return nil, err
	}
	m := w.Manifest()
	ds := &dataset.Dataset{Name: m.Name, Domain: m.Domain, Split: m.Split, Clock: m.Clock, Items: slices.Clone(items)}
	ids, err := w.ids()
	if err != nil {
		return nil, err
	}
	ds.UserIDs = slices.Clone(ids)
	f, err := w.OpenFile(DataAddress, InteractionsFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := readInteractions(f, m.Interactions)
	if err != nil {
		return nil, err
	}
	ds.SetInteractions(rows)
	where := places{w.Path(ItemsFile), w.Path(UsersFile), w.Path(InteractionsFile)}
	if err := checkDataset(ds, where); err != nil {
		return nil, usererr.WrapAs(usererr.KindDamaged, err, importAgain)
	}
	if ds.Users() != m.Users || ds.NumInteractions() != m.Interactions {
		return nil, usererr.Of(usererr.KindDamaged, importAgain, "workspace %s: %d users, %d interactions on disk, %s says %d, %d",
			w.dir, ds.Users(), ds.NumInteractions(), ManifestFile, m.Users, m.Interactions)
	}
	return ds, nil
}

// ids reads the users' ids, once; they must not be modified.
func (w *Workspace) ids() ([]string, error) {
	w.reading.Lock()
	defer w.reading.Unlock()
	if w.userIDs != nil {
		return w.userIDs, nil
	}
	f, err := w.OpenFile(DataAddress, UsersFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	ids, err := readIDs(f, w.Manifest().Users)
	if err != nil {
		return nil, err
	}
	w.userIDs = ids
	return ids, nil
}

// Reads tells how often files were opened through this Workspace, by their paths inside
// it: what a command did without need shows here.
func (w *Workspace) Reads() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.reads)
}

func (w *Workspace) count(rel string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.reads[rel]++
}

const importAgain = "Import the data again into a new folder."

// ImagePath resolves an item's Image: URLs and absolute paths stay, a relative path
// begins in the workspace's image folder.
func (w *Workspace) ImagePath(image string) string {
	if image == "" || filepath.IsAbs(image) || hasScheme(image) {
		return image
	}
	return w.Path(ImagesFolder, image)
}

// hasScheme reports whether s begins with a URL scheme of two letters or more (one
// letter is a Windows drive).
func hasScheme(s string) bool {
	for i, c := range s {
		switch {
		case c == ':':
			return i > 1
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', i > 0 && (c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'):
		default:
			return false
		}
	}
	return false
}

// exists reports whether something is at path; other errors than absence come out.
func exists(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
