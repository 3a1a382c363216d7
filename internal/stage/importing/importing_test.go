package importing_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/stage/importing"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

const users, items = 4, 6

func shop() *dataset.Dataset {
	ds := &dataset.Dataset{Name: "shop", Clock: dataset.ClockMoment}
	for u := range users {
		ds.UserIDs = append(ds.UserIDs, fmt.Sprint("u", u))
	}
	for i := range items {
		ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprint("i", i), Title: fmt.Sprint("Mug ", i)})
	}
	for u := range users {
		for k := range 4 {
			ds.Append(dataset.Interaction{User: int32(u), Item: int32((u + k) % items), Time: int64(10*u + k)})
		}
	}
	return ds
}

// features writes a .npy file of some rows.
func features(t *testing.T, rows int) string {
	t.Helper()
	x := tensor.New(rows, 3)
	for i := range x.Data {
		x.Data[i] = float32(i)
	}
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := arrayfile.WriteNPY(path, x); err != nil {
		t.Fatal(err)
	}
	return path
}

// text names a file of text vectors.
func text(path string) []importing.Features {
	return []importing.Features{{Modality: workspace.Text, Path: path}}
}

func run(t *testing.T, dir string, opt importing.Options) (*importing.Result, error) {
	t.Helper()
	opt.Split, opt.Seed = dataset.SplitByLatest, 1
	return importing.Run(t.Context(), dir, shop(), &dataset.Report{Kind: "tables"}, opt, nil)
}

// Vectors that came with the data are artefacts of the import; nobody knows what those of
// users were made from.
func TestImportWithVectors(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ws")
	opt := importing.Options{ItemFeatures: text(features(t, items)), UserFeatures: features(t, users)}
	res, err := run(t, dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[workspace.Kind]string{workspace.KindItemVectors: workspace.ProvenanceTrainOnly, workspace.KindUserVectors: workspace.ProvenanceUnknown} {
		address, a, ok := res.WS.Current(kind)
		if !ok || a.Stage != workspace.StageImport || a.Provenance != want || a.Options["encoder"] != "imported" || res.WS.Check(address).State != workspace.Fresh {
			t.Errorf("%s at %s: %+v", kind, address, a)
		}
	}
	if !importing.HasVectors(res.WS) {
		t.Error("no vectors")
	}
	if err := importing.RefuseTexts(res.WS, workspace.StageDescribe); err == nil || !strings.Contains(err.Error(), "describe") {
		t.Errorf("texts beside imported vectors: %v", err)
	}
	again, err := run(t, dir, opt)
	if err != nil || len(again.WS.Manifest().Artefacts) != 3 {
		t.Errorf("the same import again: %v", err)
	}
}

func TestImportWithoutVectors(t *testing.T) {
	res, err := run(t, filepath.Join(t.TempDir(), "ws"), importing.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if importing.HasVectors(res.WS) || importing.RefuseTexts(res.WS, workspace.StageDescribe) != nil || len(res.WS.Manifest().Artefacts) != 1 {
		t.Errorf("artefacts %v", res.WS.Manifest().Artefacts)
	}
	if res.Prepared.Stats.Users != users || res.Prepared.Stats.Interactions != 4*users || res.WS.Manifest().Source.Options["split"] != dataset.SplitByLatest {
		t.Errorf("%+v, source %+v", res.Prepared, res.WS.Manifest().Source)
	}
}

// What does not fit is said before anything is written.
func TestImportRejects(t *testing.T) {
	for name, c := range map[string]struct {
		opt  importing.Options
		want string
	}{
		"too few items":     {importing.Options{ItemFeatures: text(features(t, items-1))}, "5 rows for 6 items"},
		"too many users":    {importing.Options{UserFeatures: features(t, users+1)}, "5 rows for 4 users"},
		"no such file":      {importing.Options{ItemFeatures: text("none.npy")}, "item features"},
		"k-core of nothing": {importing.Options{KCore: 50}, "50-core is empty"},
	} {
		dir := filepath.Join(t.TempDir(), "ws")
		if _, err := run(t, dir, c.opt); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir); !os.IsNotExist(err) {
			t.Errorf("%s: left a folder (%v)", name, err)
		}
	}
}
