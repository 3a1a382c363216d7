package workspace

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// stagingMark is in the name of the hidden sibling folder where a workspace is made
// before it takes its place; movingFile stands in an existing empty folder while
// finished files move into it.
const (
	stagingMark = ".create-"
	movingFile  = ".workspace-moving"
)

// Create makes a workspace in dir from a data set. Everything is written to a hidden
// folder beside dir which then takes dir's name, so that a failed or killed Create
// leaves no half workspace. The folder dir may be absent or empty. A workspace that is
// there already is opened when it was made from the same source, options and split,
// whatever came beside it ([Source.Beside]); otherwise it is an error, as is any other folder
// with something in it.
func Create(dir string, ds *dataset.Dataset, src Source) (*Workspace, error) {
	if err := checkDataset(ds, places{"items", "users", "interactions"}); err != nil {
		return nil, usererr.New("Give every user and every item an id of its own, and rows to interactions that exist.", "creating workspace %s: %w", dir, err)
	}
	m := newManifest(ds, src)
	target, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("creating workspace %s: %w", dir, err)
	}
	there, err := lookAt(dir, target)
	if err != nil {
		return nil, err
	}
	if there == thereWorkspace {
		return reuse(dir, m)
	}
	if err := build(target, m, ds); err != nil {
		if errors.Is(err, fs.ErrExist) { // somebody else was faster
			if w, err := reuse(dir, m); err == nil {
				return w, nil
			}
		}
		return nil, fmt.Errorf("creating workspace %s: %w", dir, err)
	}
	return Open(dir)
}

func newManifest(ds *dataset.Dataset, src Source) Manifest {
	m := Manifest{
		Format: FormatVersion, ReadBy: readBy, Name: ds.Name, Domain: ds.Domain, Split: ds.Split, SplitHash: ds.SplitHash(), Clock: ds.Clock,
		Created: time.Now().UTC(), Source: src, Pictures: src.Pictures,
		Users: ds.Users(), Items: ds.NumItems(), Interactions: ds.NumInteractions(),
		Artefacts: map[string]Artefact{}, Current: map[Kind]string{KindData: DataAddress},
	}
	m.Artefacts[DataAddress] = Artefact{Kind: KindData, Stage: StageImport, InputHash: m.sourceHash(), Options: src.Options}
	return m
}

// sourceHash identifies what a workspace was made from.
func (m Manifest) sourceHash() string {
	return HashInputs(m.Source, m.Name, m.Domain, m.Split, m.SplitHash, m.Clock, m.Users, m.Items, m.Interactions)
}

type there uint8

const (
	thereNothing there = iota
	thereEmpty
	thereWorkspace
)

// lookAt says what is at the target, and turns away what must not be overwritten.
func lookAt(dir, target string) (there, error) {
	names, err := os.ReadDir(target)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return thereNothing, nil
	case err != nil:
		return 0, fmt.Errorf("creating workspace %s: %w", dir, err)
	}
	if ok, err := exists(filepath.Join(target, ManifestFile)); err != nil || ok {
		return thereWorkspace, err
	}
	if len(names) == 0 {
		return thereEmpty, nil
	}
	if ok, err := exists(filepath.Join(target, movingFile)); err != nil || ok {
		return thereEmpty, err // a Create was killed while it moved its files in
	}
	return 0, usererr.New("Give the name of a new or empty folder.", "creating workspace %s: the folder holds %s and %d other entries, and is no workspace",
		dir, names[0].Name(), len(names)-1)
}

// reuse opens an existing workspace if it was made from what m was made from.
func reuse(dir string, m Manifest) (*Workspace, error) {
	w, err := Open(dir)
	if err != nil {
		return nil, err
	}
	const hint = "Give another folder, or remove this one if nothing in it is wanted."
	was, _ := w.Artefact(DataAddress)
	m.Source.Options = m.Source.likened(was.Options)
	c := w.Check(DataAddress)
	if c.State == Fresh && was.InputHash == m.sourceHash() {
		return w, nil
	}
	reason := c.Reason
	if reason == "" {
		reason = whatChanged(was.Options, m.Source.Options)
	}
	return nil, usererr.New(hint, "workspace %s exists already and was not made from this source: %s", dir, reason)
}

// likened returns the options with those of an earlier import for what came beside the data.
func (s Source) likened(was map[string]string) map[string]string {
	options := maps.Clone(s.Options)
	for _, name := range s.Beside {
		if before, had := was[name]; had {
			options[name] = before
		} else {
			delete(options, name)
		}
	}
	return options
}

// whatChanged names the first option that differs.
func whatChanged(was, is map[string]string) string {
	keys := slices.Sorted(maps.Keys(is))
	for k := range was {
		if _, ok := is[k]; !ok {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	for _, k := range keys {
		before, had := was[k]
		now, has := is[k]
		switch {
		case !had:
			return fmt.Sprintf("option %s is new (%s)", k, now)
		case !has:
			return fmt.Sprintf("option %s is gone (was %s)", k, before)
		case before != now:
			return fmt.Sprintf("option %s was %s, is %s", k, before, now)
		}
	}
	return "the source files differ"
}

// build writes the workspace beside target and moves it there.
func build(target string, m Manifest, ds *dataset.Dataset) error {
	parent, base := filepath.Dir(target), filepath.Base(target)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return err
	}
	sweepStaging(parent, base)
	staging, lock, err := newStaging(parent, base)
	if err != nil {
		return err
	}
	defer os.RemoveAll(staging) // in its place by then, or not wanted
	defer lock.Unlock()
	if err := fillStaging(staging, m, ds); err != nil {
		return err
	}
	if runtime.GOOS == "windows" { // which does not rename folders with open files
		lock.Unlock()
	}
	return settle(staging, target)
}

// newStaging makes the hidden folder with a lock in it, which tells sweepStaging that we live.
func newStaging(parent, base string) (string, *flock.Flock, error) {
	for range 1000 {
		// Mkdir, unlike MkdirTemp, leaves the mode to the umask.
		staging := filepath.Join(parent, "."+base+stagingMark+strconv.FormatUint(rand.Uint64(), 36))
		if err := os.Mkdir(staging, 0o777); errors.Is(err, fs.ErrExist) {
			continue
		} else if err != nil {
			return "", nil, err
		}
		lock := flock.New(filepath.Join(staging, lockFile))
		locked, err := lock.TryLock()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", nil, errors.Join(err, os.RemoveAll(staging))
		}
		if there, err := exists(lock.Path()); locked && there && err == nil {
			return staging, lock, nil
		}
		lock.Unlock() //nolint:errcheck // somebody swept the folder before it had its lock
	}
	return "", nil, fmt.Errorf("no free name for a folder beside %s", filepath.Join(parent, base))
}

func fillStaging(staging string, m Manifest, ds *dataset.Dataset) error {
	if err := writeDataset(staging, ds); err != nil {
		return err
	}
	a := m.Artefacts[DataAddress]
	a.Files, a.Finished = map[string]File{}, time.Now().UTC()
	a.Seconds = a.Finished.Sub(m.Created).Seconds()
	for _, rel := range []string{ItemsFile, UsersFile, InteractionsFile} {
		f, err := inside(staging).hash(rel)
		if err != nil {
			return err
		}
		f.Path = rel
		a.Files[rel] = f
	}
	m.Artefacts[DataAddress] = a
	return writeManifest(staging, m)
}

// settle gives the finished folder its name. An existing folder keeps its identity
// (it may be somebody's current folder or a mount point): the files move into it, the
// manifest last, since only with the manifest is it a workspace.
func settle(staging, target string) error {
	ok, err := exists(target)
	if err != nil {
		return err
	}
	if !ok {
		if err := os.Rename(staging, target); err != nil {
			return err
		}
		return atomicfile.SyncDir(filepath.Dir(target))
	}
	if ok, err := exists(filepath.Join(target, ManifestFile)); err != nil || ok {
		return errors.Join(err, fs.ErrExist)
	}
	marker := filepath.Join(target, movingFile)
	if err := os.WriteFile(marker, []byte("An interrupted import; run it again or remove these files.\n"), 0o666); err != nil {
		return err
	}
	for _, name := range []string{ItemsFile, UsersFile, InteractionsFile, ManifestFile} {
		if err := os.Rename(filepath.Join(staging, name), filepath.Join(target, name)); err != nil {
			return err // the marker stays and lets the next Create go on
		}
	}
	if err := os.Remove(marker); err != nil {
		return err
	}
	return atomicfile.SyncDir(target)
}

// sweepStaging removes folders that killed Creates of the same name left: those whose
// lock nobody holds, and empty ones. Whoever has made an empty one this very moment makes
// another.
func sweepStaging(parent, base string) {
	names, err := os.ReadDir(parent)
	if err != nil {
		return // the making of our own folder will say what is wrong
	}
	for _, n := range names {
		if !n.IsDir() || !strings.HasPrefix(n.Name(), "."+base+stagingMark) {
			continue
		}
		dir := filepath.Join(parent, n.Name())
		if os.Remove(dir) == nil { // it was empty
			continue
		}
		lock := flock.New(filepath.Join(dir, lockFile))
		if ok, err := lock.TryLock(); err == nil && ok {
			os.RemoveAll(dir)
			lock.Unlock()
		}
	}
}
