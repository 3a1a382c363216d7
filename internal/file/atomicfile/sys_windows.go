package atomicfile

import (
	"errors"
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
