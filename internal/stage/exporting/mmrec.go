// Package exporting writes a workspace for other tools: for MMRec and the paper's code,
// and as chat files to train a smaller model on.
package exporting

import (
	"os"
	"path/filepath"

	"github.com/mllmrec/mllmrec/dataset/mmrec"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// MMRec writes the interactions, id maps and current vectors under the names that MMRec
// and the paper's code read, and returns the files written. name is that of the data set
// in file names; "": the workspace's.
func MMRec(s *stage.Session, dir, name string) ([]string, error) {
	ds, err := s.Dataset()
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
	for _, f := range []struct {
		name, file string
		kind       workspace.Kind
	}{
		{"image_text_feat.npy", workspace.ItemVectorsFile, workspace.KindItemVectors},
		{"user_preferences_feat.npy", workspace.UserVectorsFile, workspace.KindUserVectors},
	} {
		address, _, ok := s.WS.Current(f.kind)
		if !ok {
			continue
		}
		x, err := s.Matrix(address, f.file)
		if err != nil {
			return nil, err
		}
		path := filepath.Join(dir, f.name)
		if err := arrayfile.WriteNPY(path, x); err != nil {
			return nil, err
		}
		files = append(files, path)
	}
	return files, nil
}
