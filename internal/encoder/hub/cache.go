package hub

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Locate returns the folder of a model: nameOrPath itself when that is a folder, else
// the snapshot of the model with that name in the cache. It does not use the network.
func Locate(nameOrPath string, opt Options) (string, error) {
	if info, err := os.Stat(nameOrPath); err == nil && info.IsDir() {
		return filepath.Abs(nameOrPath)
	}
	if filepath.IsAbs(nameOrPath) || strings.HasPrefix(nameOrPath, ".") || strings.Count(nameOrPath, "/") > 1 {
		return "", usererr.New("Give the folder of a model or its name on the hub.", "there is no folder %s", nameOrPath)
	}
	repo, err := RepoName(nameOrPath)
	if err != nil {
		return "", err
	}
	if opt, err = opt.withEnv(); err != nil {
		return "", err
	}
	cache := repoCache{opt.CacheDir, repo}
	dir, err := cache.snapshot(opt.Revision)
	if errors.Is(err, fs.ErrNotExist) {
		return "", absent(repo, "the model %s (revision %s) is not in the cache %s", repo, opt.Revision, opt.CacheDir)
	}
	if err != nil {
		return "", err
	}
	if missing := cache.firstUnknown(dir); missing != "" {
		return "", absent(repo, "the model %s is only partly in the cache: it is not known whether it has %s", repo, missing)
	}
	return dir, nil
}

// optionalFiles are files that some models have and that change their vectors. Other programs
// download only the files that they use, so a snapshot without one of these is complete only
// if the cache notes that the model does not have it.
var optionalFiles = []string{"modules.json", "sentence_bert_config.json", "config_sentence_transformers.json"}

// firstUnknown returns the first optional file of which it is not known whether the model has
// it: neither the file nor the note that there is none is in the cache.
func (c repoCache) firstUnknown(snapshot string) string {
	for _, name := range optionalFiles {
		_, have := os.Stat(filepath.Join(snapshot, name))
		_, lacks := os.Stat(c.absencePath(filepath.Base(snapshot), name))
		if have != nil && lacks != nil {
			return name
		}
	}
	return ""
}

// absencePath is the path of the note that a commit has no file of this name.
func (c repoCache) absencePath(commit, name string) string { return c.dir(".no_exist", commit, name) }

// recordAbsent notes which optional files a commit does not have.
func (c repoCache) recordAbsent(commit string, files []string) error {
	for _, name := range optionalFiles {
		if slices.Contains(files, name) {
			continue
		}
		path := c.absencePath(commit, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// AbsentError says that a model is not, or not completely, in the cache. The command line
// adds to it how to pull the model.
type AbsentError struct {
	Model string // name on the hub
	err   error
}

// Error says what is missing.
func (e *AbsentError) Error() string { return e.err.Error() }

func absent(repo, format string, args ...any) error {
	return usererr.Wrap(&AbsentError{repo, fmt.Errorf(format, args...)}, absentHint(repo))
}

func absentHint(repo string) string {
	return fmt.Sprintf("Pull the model %s while online, with HF_HUB_OFFLINE not set (HF_ENDPOINT may name a mirror); "+
		"or copy the cache folder from a machine that has it, or give the path of the model's folder.", repo)
}

// repoCache is the folder of one model in the cache.
type repoCache struct{ root, repo string }

func (c repoCache) dir(elem ...string) string {
	name := "models--" + strings.ReplaceAll(c.repo, "/", "--")
	return filepath.Join(append([]string{c.root, name}, elem...)...)
}

// snapshot returns the folder of a revision; fs.ErrNotExist when it is not there.
func (c repoCache) snapshot(revision string) (string, error) {
	commit := revision
	if !commitPattern.MatchString(commit) {
		data, err := plainfile.Read(c.dir("refs", revision), 4<<10)
		if err != nil {
			return "", err
		}
		if commit = strings.TrimSpace(string(data)); !commitPattern.MatchString(commit) {
			return "", usererr.New("Pull the model again.", "%s holds no commit", c.dir("refs", revision))
		}
	}
	dir := c.dir("snapshots", commit)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", fs.ErrNotExist
	}
	return dir, nil
}

func (c repoCache) blob(etag string) string { return c.dir("blobs", etag) }

// link makes a file of a snapshot a link to its blob, or a copy if the file system has no
// links.
func (c repoCache) link(commit, file, etag string) error {
	path := c.dir("snapshots", commit, filepath.FromSlash(file))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	target, err := filepath.Rel(filepath.Dir(path), c.blob(etag))
	if err != nil {
		return err
	}
	if have, err := os.Readlink(path); err == nil && have == target {
		return nil
	}
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(target, fresh); err != nil {
		return copyFile(path, c.blob(etag))
	}
	return os.Rename(fresh, path)
}

func copyFile(to, from string) error {
	f, err := plainfile.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // only read
	return atomicfile.Write(to, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}

// setRef records the commit of a branch or tag.
func (c repoCache) setRef(revision, commit string) error {
	if revision == commit {
		return nil
	}
	path := c.dir("refs", filepath.FromSlash(revision))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, commit)
		return err
	})
}
