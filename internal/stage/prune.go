package stage

import (
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Pruned is what can be removed from a workspace, or was.
type Pruned struct {
	Removed   []string `json:"removed"`   // artefacts, by address
	Leftovers []string `json:"leftovers"` // folders that killed processes left
	Bytes     int64    `json:"bytes"`
	Kept      []string `json:"kept"`
}

// Prune removes the artefacts that no kept run needs and that are not current. All runs
// are kept unless some are named. The data, the ledger of answers and the cache of vectors
// are never touched. With dryRun it only says what it would remove.
func Prune(ws *workspace.Workspace, runs []string, dryRun bool) (*Pruned, error) {
	kept, err := needed(ws, runs)
	if err != nil {
		return nil, err
	}
	p := &Pruned{Removed: []string{}, Leftovers: ws.Leftovers(), Kept: []string{}}
	for _, kind := range slices.Backward(ws.Kinds()) {
		for _, address := range ws.Addresses(kind) {
			if kept[address] {
				p.Kept = append(p.Kept, address)
				continue
			}
			p.Removed = append(p.Removed, address)
		}
	}
	p.Bytes = p.size(ws)
	if dryRun {
		return p, nil
	}
	if err := ws.Remove(p.Removed...); err != nil {
		return nil, err
	}
	for _, left := range p.Leftovers {
		if err := ws.RemoveLeftover(left); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// needed marks the artefacts to keep: the runs and what is current, with all that these
// were made from and their evaluations.
func needed(ws *workspace.Workspace, runs []string) (map[string]bool, error) {
	kept := map[string]bool{}
	var keep func(address string)
	keep = func(address string) {
		a, ok := ws.Artefact(address)
		if !ok || kept[address] {
			return
		}
		kept[address] = true
		for _, in := range a.Inputs {
			keep(in.Address)
		}
	}
	for _, id := range runs {
		address := path.Join(workspace.RunsFolder, id)
		if a, ok := ws.Artefact(address); !ok || a.Kind != workspace.KindRun {
			return nil, usererr.Of(usererr.KindUnknown, "The status of the workspace lists its runs.", "workspace %s has no finished run %q", ws.Dir(), id)
		}
		keep(address)
	}
	if len(runs) == 0 {
		for _, address := range ws.Addresses(workspace.KindRun) {
			keep(address)
		}
	}
	for _, kind := range ws.Kinds() {
		if kind == workspace.KindRun || kind == workspace.KindEvaluation {
			continue
		}
		if address, _, ok := ws.Current(kind); ok {
			keep(address)
		}
	}
	for _, address := range ws.Addresses(workspace.KindEvaluation) {
		a, _ := ws.Artefact(address)
		if kept[a.Inputs[workspace.KindRun].Address] {
			keep(address)
		}
	}
	return kept, nil
}

// size adds up the bytes of what is to be removed: files of artefacts that no kept one has
// too, as those of format 1 may, and what else is in the folders.
func (p *Pruned) size(ws *workspace.Workspace) int64 {
	var total int64
	seen := map[string]bool{}
	for _, address := range p.Kept {
		a, _ := ws.Artefact(address)
		for _, f := range a.Files {
			seen[ws.Path(f.Path)] = true
		}
	}
	add := func(file string, bytes int64) {
		if !seen[file] {
			seen[file] = true
			total += bytes
		}
	}
	for _, address := range slices.Concat(p.Removed, p.Leftovers) {
		a, _ := ws.Artefact(address)
		for _, f := range a.Files {
			add(ws.Path(f.Path), f.Bytes)
		}
		filepath.WalkDir(ws.Path(address), func(file string, e os.DirEntry, err error) error { //nolint:errcheck // what cannot be looked at is not counted
			if err == nil && e.Type().IsRegular() {
				if info, err := e.Info(); err == nil {
					add(file, info.Size())
				}
			}
			return nil
		})
	}
	return total
}
