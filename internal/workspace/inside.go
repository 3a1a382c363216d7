package workspace

import (
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
)

// inside is a folder in which every path is looked up without following a link out of it.
// Paths are relative to it, with slashes. It keeps nothing open, so that the folder can be
// moved and its disk taken away.
type inside string

func (in inside) do(what func(*os.Root) error) error {
	root, err := os.OpenRoot(string(in))
	if err != nil {
		return err
	}
	defer root.Close()
	return what(root)
}

// open opens a regular file for reading.
func (in inside) open(rel string) (f *os.File, err error) {
	err = in.do(func(r *os.Root) error {
		f, err = plainfile.OpenIn(r, filepath.FromSlash(rel))
		return err
	})
	return f, err
}

// read returns the content of a regular file of limit bytes at most.
func (in inside) read(rel string, limit int64) ([]byte, error) {
	f, err := in.open(rel)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return plainfile.ReadFrom(f, limit)
}

func (in inside) stat(rel string) (info fs.FileInfo, err error) {
	err = in.do(func(r *os.Root) error {
		info, err = r.Stat(filepath.FromSlash(rel))
		return err
	})
	return info, err
}

func (in inside) lstat(rel string) (info fs.FileInfo, err error) {
	err = in.do(func(r *os.Root) error {
		info, err = r.Lstat(filepath.FromSlash(rel))
		return err
	})
	return info, err
}

func (in inside) list(rel string) (entries []fs.DirEntry, err error) {
	err = in.do(func(r *os.Root) error {
		entries, err = fs.ReadDir(r.FS(), rel)
		return err
	})
	return entries, err
}

func (in inside) mkdirAll(rel string) error {
	return in.do(func(r *os.Root) error { return r.MkdirAll(filepath.FromSlash(rel), 0o755) })
}

func (in inside) rename(from, to string) error {
	return in.do(func(r *os.Root) error { return r.Rename(filepath.FromSlash(from), filepath.FromSlash(to)) })
}

func (in inside) remove(rel string) error {
	return in.do(func(r *os.Root) error { return r.Remove(filepath.FromSlash(rel)) })
}

// removeAll removes a file or a folder with all in it; links in it are removed, not followed.
func (in inside) removeAll(rel string) error {
	return in.do(func(r *os.Root) error { return r.RemoveAll(filepath.FromSlash(rel)) })
}
