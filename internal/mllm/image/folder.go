package image

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// extensions that a folder's pictures may have, the preferred first.
var extensions = []string{".jpg", ".jpeg", ".png", ".webp", ".gif"}

// Folder finds pictures by item id among the files of one folder: B00123.jpg is the
// picture of item B00123. Ids are looked up in the list of names read from the folder and
// never become part of a path, so no id can lead out of the folder.
type Folder struct {
	dir   string
	files map[string]string // id to file name
}

// OpenFolder reads the names in dir; files added later are not seen.
func OpenFolder(dir string) (*Folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("read the folder of pictures: %w", err), "Give the folder that holds <item id>.jpg, .png, .webp or .gif.")
	}
	f := &Folder{dir: dir, files: map[string]string{}}
	best := map[string]int{}
	for _, e := range entries { // sorted by name, so that the choice below is deterministic
		if e.IsDir() {
			continue
		}
		ext := filepath.Ext(e.Name())
		id := strings.TrimSuffix(e.Name(), ext)
		rank := rankOf(ext)
		if old, ok := best[id]; rank < 0 || id == "" || (ok && old <= rank) {
			continue
		}
		f.files[id], best[id] = e.Name(), rank
	}
	return f, nil
}

func rankOf(ext string) int {
	for i, known := range extensions {
		if strings.EqualFold(ext, known) {
			return i
		}
	}
	return -1
}

// Find returns the path of the picture of an item, for a Loader without Options.Dir. The file's
// name may have _ for a character that file names cannot have.
func (f *Folder) Find(id string) (path string, ok bool) {
	name, ok := f.files[id]
	if !ok {
		name, ok = f.files[fileName(id)]
	}
	if !ok {
		return "", false
	}
	path = filepath.Join(f.dir, name)
	if scheme.MatchString(path) {
		path = "." + string(filepath.Separator) + path // a colon must not make it a URL
	}
	return path, true
}

func fileName(id string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/\:*?"<>|`, r) {
			return '_'
		}
		return r
	}, id)
}
