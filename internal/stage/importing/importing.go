// Package importing is the stage that makes a workspace from a data set, with the vectors
// that come with it, if any.
package importing

import (
	"context"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/consent"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// imported is the encoder that the record names for vectors that came with the data.
const imported = "imported"

// Options say how a data set becomes a workspace.
type Options struct {
	Split        string     // see dataset.SplitOptions
	Seed         uint64     // of the random split
	KCore        int        // 0: all stay
	ItemFeatures []Features // files of item vectors made elsewhere, one a modality
	UserFeatures string     // .npy file of user vectors made elsewhere; may be empty
	// Source is recorded beside the options: what else determined the data.
	Source map[string]string
}

// Result says what became of the data.
type Result struct {
	WS       *workspace.Workspace
	Prepared dataset.Prepared
	Notes    []string // sentences about vectors that the user should see
}

// Run merges duplicates, filters to the k-core, splits, and makes a workspace in dir. Where
// dir is a workspace of the same data already, vectors that are not in it yet are added, or
// take the place of others of their modality; what was made from those stays beside them.
func Run(ctx context.Context, dir string, ds *dataset.Dataset, rep *dataset.Report, opt Options, observe stage.Observer) (*Result, error) {
	var err error
	if opt.ItemFeatures, err = sorted(opt.ItemFeatures); err != nil {
		return nil, err
	}
	before := [2]int{ds.NumItems(), ds.Users()}
	prepared, err := dataset.Prepare(ds, opt.KCore, dataset.SplitOptions{Name: opt.Split, Seed: opt.Seed})
	if err != nil {
		return nil, err
	}
	res := &Result{Prepared: prepared}
	brought, err := res.read(opt, rows{"item", before[0], ds.NumItems()}, rows{"user", before[1], ds.Users()})
	if err != nil {
		return nil, err
	}
	if res.WS, err = workspace.Create(dir, ds, source(ds, rep, opt)); err != nil {
		return nil, err
	}
	if rep.PictureFolder != "" {
		// Whoever imports a catalogue has its pictures read. Where this cannot be noted, the
		// user is asked later.
		consent.Give(dir, consent.PathGrant(consent.Read, rep.PictureFolder)) //nolint:errcheck // see above
	}
	for _, what := range kept(res.WS, brought) {
		res.note("the workspace keeps the %s that were imported before", what)
	}
	if len(brought) == 0 {
		return res, nil
	}
	return res, res.store(ctx, brought, observe)
}

func (r *Result) note(format string, args ...any) {
	r.Notes = append(r.Notes, fmt.Sprintf(format, args...))
}

// read reads all files of vectors, so that one that does not fit is found before anything is
// written.
func (r *Result) read(opt Options, items, users rows) (brought []*features, err error) {
	for _, file := range opt.ItemFeatures {
		f := &features{kind: workspace.ItemVectorsOf(file.Modality), modality: file.Modality, file: workspace.ItemVectorsFile, rows: workspace.ItemsFile, source: file.Path}
		if file.Where != "" {
			r.note("%s vectors of the items: %s, found %s", file.Modality, file.Path, file.Where)
		}
		if f.vectors, err = r.matrix(file.what(), file.Path, items); err != nil {
			return nil, err
		}
		brought = append(brought, f)
	}
	if opt.UserFeatures == "" {
		return brought, nil
	}
	f := &features{kind: workspace.KindUserVectors, file: workspace.UserVectorsFile, rows: workspace.UsersFile, source: opt.UserFeatures}
	f.vectors, err = r.matrix("user features", opt.UserFeatures, users)
	return append(brought, f), err
}

// store makes an artefact of each. What the workspace has already in the same bits becomes
// current again.
func (r *Result) store(ctx context.Context, brought []*features, observe stage.Observer) error {
	release, err := r.WS.Lock()
	if err != nil {
		return err
	}
	defer release()
	var stages []stage.Stage
	for _, f := range brought {
		stages = append(stages, f)
	}
	e := stage.NewEngine(stage.NewSession(r.WS, observe), stages...)
	for _, f := range brought {
		if f.twin, err = f.find(r.WS); err != nil {
			return err
		}
		if f.twin == "" {
			e.Again(f.kind) // others may be there that were made in the same way from another file
		}
		if _, err := e.Make(ctx, f.kind); err != nil {
			return err
		}
	}
	return nil
}

// Options of the source that say which vectors came with the data. Files of other modalities are
// named in the records of their vectors.
const (
	optionItems = "item_features"
	optionUsers = "user_features"
)

// path returns the file of a modality; "" where there is none.
func (opt Options) path(modality string) string {
	for _, f := range opt.ItemFeatures {
		if f.Modality == modality {
			return f.Path
		}
	}
	return ""
}

// source records what the workspace is made from.
func source(ds *dataset.Dataset, rep *dataset.Report, opt Options) workspace.Source {
	src := workspace.Source{Kind: rep.Kind, Pictures: rep.PictureFolder, Options: map[string]string{"split": ds.Split, "k_core": strconv.Itoa(opt.KCore),
		"seed": strconv.FormatUint(opt.Seed, 10), "domain": ds.Domain, "name": ds.Name,
		optionItems: opt.path(workspace.Text), optionUsers: opt.UserFeatures}, Beside: []string{optionItems, optionUsers}}
	for k, v := range opt.Source {
		src.Options[k] = v
	}
	for _, file := range rep.Files {
		src.Files = append(src.Files, workspace.SourceFile{Name: filepath.Base(file.Path), SHA256: file.SHA256, Bytes: file.Bytes})
	}
	return src
}

// HasVectors reports whether the current item vectors came with the data, so that nothing
// has to be written and encoded.
func HasVectors(ws *workspace.Workspace) bool {
	items, users := Vectors(ws)
	return items || users
}

// Vectors reports which of the current vectors came with the data.
func Vectors(ws *workspace.Workspace) (items, users bool) {
	came := func(kind workspace.Kind) bool {
		_, a, ok := ws.Current(kind)
		return ok && a.Options["encoder"] == imported
	}
	return came(workspace.KindItemVectors), came(workspace.KindUserVectors)
}

// RefuseTexts fails where a stage about texts would silently replace, or have no effect
// on, vectors that the user brought.
func RefuseTexts(ws *workspace.Workspace, name string) error {
	if !HasVectors(ws) {
		return nil
	}
	return usererr.New(fmt.Sprintf("Train on them, or replace them with %s.", usererr.Option("force")),
		"stage %q would have no effect: this workspace uses imported feature vectors", name)
}
