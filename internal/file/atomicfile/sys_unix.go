//go:build !windows

package atomicfile

import (
	"errors"
	"os"
	"syscall"
)

// SyncDir flushes a folder's list of names to the disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) {
		return nil // the file system has no flush for folders
	}
	return err
}

func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// hold locks a temporary file that was just made until it is closed, however the process
// ends. It is false when a sweeper was faster. On a file system without locks it does
// nothing, and sweepers go by age.
func hold(f *os.File) bool {
	if err := lock(f); err != nil {
		return !errors.Is(err, syscall.EWOULDBLOCK)
	}
	made, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(made, there)
}

func lock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// publish gives a flushed file its name while the lock is still held, so that no sweeper
// takes it in between. Closing it says nothing that the flush has not said.
func publish(f *os.File, path string) error {
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	f.Close()
	return nil
}

// discard removes a temporary file while its lock is held.
func discard(f *os.File) {
	os.Remove(f.Name())
	f.Close()
}

// removeDead removes a temporary file whose writer does not live any more. It holds the
// file's lock meanwhile, so that no writer can begin with it.
func removeDead(root *os.Root, rel string) {
	seen, err := root.Lstat(rel)
	if err != nil || !seen.Mode().IsRegular() {
		return
	}
	f, err := root.OpenFile(rel, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !os.SameFile(seen, info) {
		return
	}
	if err := lock(f); err != nil && (errors.Is(err, syscall.EWOULDBLOCK) || !isOld(seen)) {
		return
	}
	root.Remove(rel) //nolint:errcheck // what stays is swept next time
}
