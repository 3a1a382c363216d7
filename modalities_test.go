package mllmrec

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// fewItems imports five items with files of vectors into a folder, which may hold them.
func fewItems(t *testing.T, dir string, opt ImportOptions) (*Imported, error) {
	t.Helper()
	ds := &dataset.Dataset{Name: "few"}
	for i := range 5 {
		ds.Items = append(ds.Items, dataset.Item{ID: fmt.Sprint("i", i)})
	}
	for u := range 4 {
		ds.UserIDs = append(ds.UserIDs, fmt.Sprint("u", u))
		for k := range 4 {
			ds.Append(dataset.Interaction{User: int32(u), Item: int32((u + k) % 5), Time: int64(k)})
		}
	}
	opt.Split = dataset.SplitByLatest
	return Import(t.Context(), dir, ds, opt)
}

func vectorFile(t *testing.T, rows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.npy")
	if err := arrayfile.WriteNPY(path, tensor.New(rows, 2)); err != nil {
		t.Fatal(err)
	}
	return path
}

// A program names files of vectors by modality, as the command line does.
func TestImportOfModalities(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ws")
	x := vectorFile(t, 5)
	if _, err := fewItems(t, dir, ImportOptions{Modalities: map[string]string{"visual": x, "audio": x}}); err != nil {
		t.Fatal(err)
	}
	again, err := fewItems(t, dir, ImportOptions{ItemFeatures: x, Modalities: map[string]string{"visual": x}})
	if err != nil || len(again.Notes) != 1 || !strings.Contains(again.Notes[0], "keeps the audio vectors") {
		t.Errorf("%+v, %v", again, err)
	}
	ws, err := workspace.Open(dir)
	if err != nil || strings.Join(ws.Modalities(), " ") != "audio text visual" {
		t.Errorf("modalities %q, %v", ws.Modalities(), err)
	}
	for want, opt := range map[string]ImportOptions{
		`"../x" is no name of a modality`: {Modalities: map[string]string{"../x": x}},
		"text vectors are given twice":    {ItemFeatures: x, Modalities: map[string]string{"text": x}},
		"4 rows for 5 items":              {Modalities: map[string]string{"visual": vectorFile(t, 4)}},
	} {
		_, err := fewItems(t, filepath.Join(t.TempDir(), "ws"), opt)
		if e := new(Error); !errors.As(err, &e) || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
