package pipeline

import (
	"os"
	"path/filepath"

	"github.com/mllmrec/mllmrec/dataset/mmrec"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// ExportMMRec writes the interactions, id maps and vectors under the names that MMRec
// and the paper's code read, and returns the files written.
func (p *Pipeline) ExportMMRec(dir, name string) ([]string, error) {
	ds, err := p.WS.Dataset()
	if err != nil {
		return nil, err
	}
	if name == "" {
		name = ds.Name
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := mmrec.Write(dir, name, ds); err != nil {
		return nil, err
	}
	files := []string{filepath.Join(dir, name+".inter"), filepath.Join(dir, mmrec.UserMapFile), filepath.Join(dir, mmrec.ItemMapFile)}
	if _, ok := p.WS.Manifest().Stages[workspace.StageEncode]; !ok {
		return files, nil
	}
	items, users, _, err := p.Features()
	if err != nil {
		return nil, err
	}
	for _, f := range []struct {
		name string
		m    *tensor.Matrix
	}{{"image_text_feat.npy", items}, {"user_preferences_feat.npy", users}} {
		if f.m == nil {
			continue
		}
		path := filepath.Join(dir, f.name)
		if err := arrayfile.WriteNPY(path, f.m); err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	return files, nil
}
