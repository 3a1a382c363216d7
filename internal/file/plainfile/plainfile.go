// Package plainfile opens what somebody else may have put in a file's place: a named pipe
// that would wait for ever, a device without an end, a link out of the folder, a file of
// any size. It returns regular files only, in bounds, and never waits.
//
// A path is followed as the user gave it. Inside a folder that came from elsewhere, such
// as a workspace, callers open through an [os.Root] of that folder, which follows no link
// out of it.
package plainfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Open opens the regular file at path for reading.
func Open(path string) (*os.File, error) {
	return open(path, os.Stat, func(name string) (*os.File, error) { return os.OpenFile(name, os.O_RDONLY|nonblock, 0) })
}

// OpenIn opens the regular file at rel, a path with the system's separators, inside root.
// A link that leads out of root is an error.
func OpenIn(root *os.Root, rel string) (*os.File, error) {
	f, err := open(rel, root.Stat, func(name string) (*os.File, error) { return root.OpenFile(name, os.O_RDONLY|nonblock, 0) })
	var pe *fs.PathError
	if errors.As(err, &pe) { // a root's own errors name the path inside it
		err = fmt.Errorf("%s: %w", filepath.Join(root.Name(), rel), pe.Err)
		if leadsOut(pe.Err) {
			err = usererr.WrapAs(usererr.KindDamaged, err, "Replace the link by a copy of what it leads to.")
		}
	}
	return f, err
}

// OpenForWriting is [os.OpenFile] where the file is absent or a regular one: it writes
// neither through a link nor into a pipe or a device.
func OpenForWriting(path string, flag int, perm fs.FileMode) (*os.File, error) {
	f, err := open(path, func(name string) (fs.FileInfo, error) {
		info, err := os.Lstat(name)
		if errors.Is(err, fs.ErrNotExist) && flag&os.O_CREATE != 0 {
			return nil, nil
		}
		return info, err
	}, func(name string) (*os.File, error) { return os.OpenFile(name, flag|nonblock|nofollow, perm) })
	return f, err
}

// leadsOut recognises a root's refusal of a link, for which package os has no name.
func leadsOut(err error) bool { return err.Error() == "path escapes from parent" }

// open looks before it opens, since opening a device can have effects, and after, since
// what is there may have changed.
func open(name string, stat func(string) (fs.FileInfo, error), open func(string) (*os.File, error)) (*os.File, error) {
	info, err := stat(name)
	if err != nil {
		return nil, err
	}
	if info != nil {
		if err := regular(name, info); err != nil {
			return nil, err
		}
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = regular(f.Name(), info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// regular refuses everything that is no regular file, and says what it is.
func regular(name string, info fs.FileInfo) error {
	what := "something else"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode&fs.ModeSymlink != 0:
		what = "a link"
	case mode.IsDir():
		what = "a folder"
	case mode&fs.ModeNamedPipe != 0:
		what = "a named pipe"
	case mode&fs.ModeSocket != 0:
		what = "a socket"
	case mode&fs.ModeDevice != 0:
		what = "a device"
	}
	return usererr.Of(usererr.KindDamaged, "Put the file itself there.", "%s is %s, not a regular file", name, what)
}

// Read returns the contents of the regular file at path, which may have limit bytes at
// most.
func Read(path string, limit int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadFrom(f, limit)
}

// ReadIn is [Read] for a file inside root.
func ReadIn(root *os.Root, rel string, limit int64) ([]byte, error) {
	f, err := OpenIn(root, rel)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadFrom(f, limit)
}

// ReadFrom reads an open regular file whole. One of more than limit bytes is refused
// before memory is set aside for it, also where it grows while it is read.
func ReadFrom(f *os.File, limit int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > limit {
		return nil, tooLarge(f.Name(), limit)
	}
	var b bytes.Buffer
	b.Grow(int(info.Size()) + bytes.MinRead) // so that ReadFrom need not copy
	if _, err := b.ReadFrom(io.LimitReader(f, limit+1)); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.Name(), err)
	}
	if int64(b.Len()) > limit {
		return nil, tooLarge(f.Name(), limit)
	}
	return b.Bytes(), nil
}

func tooLarge(name string, limit int64) error {
	return usererr.Of(usererr.KindDamaged, "Look at what it is: this program writes none so large.", "%s has more than %d bytes", name, limit)
}
