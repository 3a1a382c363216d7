package atomicfile

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// tempMark stands between a file's name and the number of its temporary file.
const tempMark = ".tmp-"

// deadAfter is how old a temporary file must be to count as a killed writer's where locks
// say nothing. Writing one takes seconds.
const deadAfter = 10 * time.Minute

// IsTemp reports whether name is that of a temporary file of this package: a dot, the
// name of the file that it is to become, a mark, and a number in base 36. One that no
// living process writes is what a killed process left and may be removed.
func IsTemp(name string) bool {
	base := filepath.Base(name)
	at := strings.LastIndex(base, tempMark)
	if at < 2 || base[0] != '.' {
		return false
	}
	number := base[at+len(tempMark):]
	return number != "" && len(number) <= 13 && strings.Trim(number, "0123456789abcdefghijklmnopqrstuvwxyz") == ""
}

// Sweep removes from a folder inside root, a path with slashes, the temporary files that
// killed writers of this package left: regular files of that name that no living process
// has locked, or, on file systems without locks, that are ten minutes old. It follows no
// link, and passes over what it may not remove: the next write will say what is wrong.
func Sweep(root *os.Root, folder string) {
	sweep(root, folder, IsTemp)
}

// sweepFor removes what killed writers of the file at path left beside it.
func sweepFor(file string) {
	root, err := os.OpenRoot(filepath.Dir(file))
	if err != nil {
		return // the write will say what is wrong
	}
	defer root.Close()
	prefix := "." + filepath.Base(file) + tempMark
	sweep(root, ".", func(name string) bool {
		return IsTemp(name) && strings.HasPrefix(name, prefix) && !strings.Contains(name[len(prefix):], tempMark)
	})
}

func sweep(root *os.Root, folder string, ours func(name string) bool) {
	entries, err := fs.ReadDir(root.FS(), folder)
	if err != nil {
		return
	}
	for _, e := range entries {
		if e.Type().IsRegular() && ours(e.Name()) {
			removeDead(root, filepath.FromSlash(path.Join(folder, e.Name())))
		}
	}
}

// isOld reports whether a file has not been written to for so long that its writer must
// be dead.
func isOld(info fs.FileInfo) bool { return time.Since(info.ModTime()) > deadAfter }
