package mmrec

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/mllmrec/mllmrec/dataset"
)

// The names of the files in which MMRec keeps item vectors beside an .inter file.
const (
	VisualFile = "image_feat.npy"
	TextFile   = "text_feat.npy"
)

// FeatureFile is a file of item vectors beside an .inter file. Its row r belongs to item id r.
type FeatureFile struct {
	Modality string // "visual" or "text"
	Path     string
}

// FeatureFiles returns the files of item vectors that lie beside an .inter file under MMRec's
// names. They are not opened.
func FeatureFiles(inter string) []FeatureFile {
	var found []FeatureFile
	for _, f := range []FeatureFile{{"visual", VisualFile}, {"text", TextFile}} {
		f.Path = filepath.Join(filepath.Dir(inter), f.Path)
		// What cannot be looked at is named too: whoever reads it says why.
		if _, err := os.Stat(f.Path); !errors.Is(err, fs.ErrNotExist) {
			found = append(found, f)
		}
	}
	return found
}

// NumberedItems reports whether the items' ids are their row numbers, as those of MMRec's own
// data sets are.
func NumberedItems(ds *dataset.Dataset) bool {
	for i, item := range ds.Items {
		if item.ID != strconv.Itoa(i) {
			return false
		}
	}
	return true
}
