// Package retraining makes the next run of a served shop from what happened since: feedback, items and users that came. Each time
// is a generation: a workspace of its own below the shop's, so that what is served, and what was, stays as it is and can be gone back to.
package retraining

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Folder is where generations lie, in the shop's workspace.
const Folder = "generations"

// A generation is named by the number of events that it was made from.
const prefix = "e"

// Locate finds the workspace of a run, and its id there. A run of a generation is named GENERATION/ID, any other by its id alone.
func Locate(shop, run string) (dir, id string, err error) {
	generation, id, of := strings.Cut(run, "/")
	if !of {
		return shop, run, nil
	}
	if !isGeneration(generation) || strings.ContainsAny(id, `/\`) {
		return "", "", usererr.Of(usererr.KindUnknown, "List the runs.", "there is no run %q", run)
	}
	dir = filepath.Join(shop, Folder, generation)
	return dir, id, inside(shop, generation)
}

// inside fails where the folder of generations, or one of them, is a link: what it leads to is not the shop's.
func inside(shop string, generation string) error {
	for _, path := range []string{filepath.Join(shop, Folder), filepath.Join(shop, Folder, generation)} {
		info, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if !info.IsDir() {
			return usererr.Of(usererr.KindDamaged, "Remove it.", "%s is no folder but a link or a file, and is not followed", path)
		}
	}
	return nil
}

// Name is how a run of a generation is named in the shop.
func Name(generation, id string) string {
	if generation == "" {
		return id
	}
	return generation + "/" + id
}

func isGeneration(name string) bool {
	n, err := strconv.ParseInt(strings.TrimPrefix(name, prefix), 10, 64)
	return err == nil && n >= 0 && strings.HasPrefix(name, prefix) && name == prefix+strconv.FormatInt(n, 10)
}

// Generations lists the generations of a shop, oldest first.
func Generations(shop string) ([]string, error) {
	if err := inside(shop, ""); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(filepath.Join(shop, Folder))
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list generations: %w", err)
	}
	var all []string
	for _, e := range entries {
		if isGeneration(e.Name()) && e.IsDir() {
			all = append(all, e.Name())
		}
	}
	slices.SortFunc(all, func(a, b string) int { return int(number(a) - number(b)) })
	return all, nil
}

func number(generation string) int64 {
	n, _ := strconv.ParseInt(strings.TrimPrefix(generation, prefix), 10, 64) //nolint:errcheck // isGeneration looked
	return n
}

// EachWorkspace calls do with the shop's workspace and those of its generations that can be opened, oldest first.
func EachWorkspace(shop string, do func(generation string, ws *workspace.Workspace) error) error {
	ws, err := workspace.Open(shop)
	if err != nil {
		return err
	}
	if err := do("", ws); err != nil {
		return err
	}
	all, err := Generations(shop)
	if err != nil {
		return err
	}
	for _, generation := range all {
		ws, err := workspace.Open(filepath.Join(shop, Folder, generation))
		if err != nil {
			continue // it was stopped before it was a workspace
		}
		if err := do(generation, ws); err != nil {
			return err
		}
	}
	return nil
}
