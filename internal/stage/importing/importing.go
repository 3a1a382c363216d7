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
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// imported is the encoder that the record names for vectors that came with the data.
const imported = "imported"

// Options say how a data set becomes a workspace.
type Options struct {
	Split        string // see dataset.SplitOptions
	Seed         uint64 // of the random split
	KCore        int    // 0: all stay
	ItemFeatures string // .npy file of item vectors made elsewhere; may be empty
	UserFeatures string // likewise of users
	// Source is recorded beside the options: what else determined the data.
	Source map[string]string
}

// Result says what became of the data.
type Result struct {
	WS       *workspace.Workspace
	Prepared dataset.Prepared
}

// Run merges duplicates, filters to the k-core, splits, and makes a workspace in dir.
func Run(ctx context.Context, dir string, ds *dataset.Dataset, rep *dataset.Report, opt Options, observe stage.Observer) (*Result, error) {
	if opt.KCore > 0 && opt.ItemFeatures+opt.UserFeatures != "" {
		return nil, usererr.New("Leave the k-core out, or encode features from the filtered workspace.",
			"%s would renumber the rows that the feature files belong to", usererr.Option("k-core"))
	}
	prepared, err := dataset.Prepare(ds, opt.KCore, dataset.SplitOptions{Name: opt.Split, Seed: opt.Seed})
	if err != nil {
		return nil, err
	}
	items, err := readFeatures(opt.ItemFeatures, "item", ds.NumItems())
	if err != nil {
		return nil, err
	}
	users, err := readFeatures(opt.UserFeatures, "user", ds.Users())
	if err != nil {
		return nil, err
	}
	ws, err := workspace.Create(dir, ds, source(ds, rep, opt))
	if err != nil {
		return nil, err
	}
	if rep.PictureFolder != "" {
		// Whoever imports a catalogue has its pictures read. Where this cannot be noted, the
		// user is asked later.
		consent.Give(dir, consent.PathGrant(consent.Read, rep.PictureFolder)) //nolint:errcheck // see above
	}
	res := &Result{ws, prepared}
	if items == nil && users == nil {
		return res, nil
	}
	release, err := ws.Lock()
	if err != nil {
		return nil, err
	}
	defer release()
	var stages []stage.Stage
	for _, f := range []*features{
		{workspace.KindItemVectors, workspace.ItemVectorsFile, workspace.ItemsFile, items},
		{workspace.KindUserVectors, workspace.UserVectorsFile, workspace.UsersFile, users},
	} {
		if f.vectors != nil {
			stages = append(stages, f)
		}
	}
	e := stage.NewEngine(stage.NewSession(ws, observe), stages...)
	for _, st := range stages {
		if _, err := e.Make(ctx, st.Makes()); err != nil {
			return nil, err
		}
	}
	return res, nil
}

// source records what the workspace is made from.
func source(ds *dataset.Dataset, rep *dataset.Report, opt Options) workspace.Source {
	src := workspace.Source{Kind: rep.Kind, Pictures: rep.PictureFolder, Options: map[string]string{"split": ds.Split, "k_core": strconv.Itoa(opt.KCore),
		"seed": strconv.FormatUint(opt.Seed, 10), "domain": ds.Domain, "name": ds.Name,
		"item_features": opt.ItemFeatures, "user_features": opt.UserFeatures}}
	for k, v := range opt.Source {
		src.Options[k] = v
	}
	for _, file := range rep.Files {
		src.Files = append(src.Files, workspace.SourceFile{Name: filepath.Base(file.Path), SHA256: file.SHA256, Bytes: file.Bytes})
	}
	return src
}

// readFeatures reads a .npy file that goes with a data set of the given size; a path may
// be empty. A file that does not fit is the user's error, found before anything is
// written.
func readFeatures(path, what string, rows int) (*tensor.Matrix, error) {
	if path == "" {
		return nil, nil
	}
	x, err := arrayfile.ReadNPY(path)
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("%s features: %w", what, err), "Feature files are 2-D float .npy arrays, one row a "+what+".")
	}
	if x.Rows != rows {
		return nil, usererr.New("Row r of the file must belong to "+what+" r.",
			"%s features %s: %d rows for %d %ss", what, path, x.Rows, rows, what)
	}
	return x, nil
}

// features are vectors made elsewhere, such as the Python tools' .npy files. Nobody can
// say what foreign user vectors were made from, so all that is trained on them is marked
// "provenance unknown" until an audit has probed them.
type features struct {
	kind       workspace.Kind
	file, rows string // name of the file, and the file of the data whose rows it has
	vectors    *tensor.Matrix
}

// Name implements stage.Stage.
func (*features) Name() string { return workspace.StageImport }

// Makes implements stage.Stage.
func (f *features) Makes() workspace.Kind { return f.kind }

// Needs implements stage.Stage.
func (f *features) Needs() []stage.Need {
	return []stage.Need{{Kind: workspace.KindData, Files: []string{f.rows}}}
}

// Settle implements stage.Stage.
func (f *features) Settle(context.Context, *stage.Session, stage.Inputs) (stage.Spec, error) {
	side := "items"
	if f.kind == workspace.KindUserVectors {
		side = "users"
	}
	return stage.Spec{Name: side + "-" + imported, Options: map[string]string{"encoder": imported}}, nil
}

// Build implements stage.Stage.
func (f *features) Build(_ context.Context, b *stage.Build) error {
	if err := arrayfile.WriteNPY(b.Path(f.file), f.vectors); err != nil {
		return err
	}
	b.Info = map[string]any{"item_dim": f.vectors.Cols}
	if f.kind == workspace.KindUserVectors {
		b.Info, b.Provenance = map[string]any{"user_dim": f.vectors.Cols}, workspace.ProvenanceUnknown
	}
	return nil
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
