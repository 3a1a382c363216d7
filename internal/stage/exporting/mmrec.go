// Package exporting writes a workspace for other tools: for MMRec and the paper's code,
// and as chat files to train a smaller model on.
package exporting

import (
	"os"
	"path/filepath"

	"github.com/mllmrec/mllmrec/dataset/mmrec"
	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
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
	vectors, err := vectorFiles(s.WS)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := mmrec.Write(dir, name, ds); err != nil {
		return nil, err
	}
	files := []string{filepath.Join(dir, name+".inter"), filepath.Join(dir, mmrec.UserMapFile), filepath.Join(dir, mmrec.ItemMapFile)}
	for _, f := range vectors {
		x, err := s.Matrix(f.address, f.file)
		if err != nil {
			return nil, err
		}
		for _, out := range f.names {
			path := filepath.Join(dir, out)
			if err := arrayfile.WriteNPY(path, x); err != nil {
				return nil, err
			}
			files = append(files, path)
		}
	}
	return files, nil
}

// vectorFile is a matrix of the workspace with the names under which it is written.
type vectorFile struct {
	address, file string
	names         []string
}

// vectorFiles lists the current vectors. Those of texts are written twice: MMRec's models and the
// paper's code read them under different names.
func vectorFiles(ws *workspace.Workspace) (files []vectorFile, err error) {
	by := map[string]string{} // what is written under a name
	for _, kind := range ws.Kinds() {
		address, _, ok := ws.Current(kind)
		if !ok {
			continue
		}
		f, what := vectorFile{address, workspace.ItemVectorsFile, nil}, "item vectors"
		modality, isItems := kind.Modality()
		switch {
		case kind == workspace.KindUserVectors:
			f.file, f.names, what = workspace.UserVectorsFile, []string{"user_preferences_feat.npy"}, "user vectors"
		case !isItems:
			continue
		case modality == workspace.Text:
			f.names = []string{"image_text_feat.npy", mmrec.TextFile}
		case modality == workspace.Visual:
			f.names = []string{mmrec.VisualFile}
		default:
			f.names = []string{modality + "_feat.npy"}
		}
		if isItems {
			what = modality + " " + what
		}
		for _, name := range f.names {
			if other, taken := by[name]; taken {
				return nil, usererr.New("Import the modality under another name.", "the %s and the %s would both be written to %s", other, what, name)
			}
			by[name] = what
		}
		files = append(files, f)
	}
	return files, nil
}
