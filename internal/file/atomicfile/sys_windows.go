package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// SyncDir does nothing: Windows flushes no folders, and its renames are journalled.
func SyncDir(string) error { return nil }

const (
	errorHandleDiskFull = syscall.Errno(39)
	errorDiskFull       = syscall.Errno(112)
)

func isFull(err error) bool {
	return errors.Is(err, errorHandleDiskFull) || errors.Is(err, errorDiskFull)
}

// hold does nothing: Windows removes no file that is open.
func hold(*os.File) bool { return true }

// publish closes the file first, since Windows renames no open one.
func publish(f *os.File, path string) error {
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func discard(f *os.File) {
	f.Close()
	os.Remove(f.Name())
}

// removeDead removes a temporary file that is old and that nobody has open.
func removeDead(root *os.Root, rel string) {
	if info, err := root.Lstat(rel); err == nil && info.Mode().IsRegular() && isOld(info) {
		root.Remove(rel) //nolint:errcheck // somebody has it open, or it is swept next time
	}
}
