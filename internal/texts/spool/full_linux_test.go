package spool

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// The room set aside takes answers on a disk that is full to the last block.
func TestRoomSetAsideOnAFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("mounting a small disk takes root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(disk, syscall.MNT_DETACH) }) //nolint:errcheck // the folder is temporary
	dir := filepath.Join(disk, "spool")
	r := setAside(dir)
	if r == nil {
		t.Fatal("no room was set aside")
	}
	f, err := os.Create(filepath.Join(disk, "filler"))
	if err != nil {
		t.Fatal(err)
	}
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	f.Close()
	if path, err := saveTo(dir, bytes.Repeat([]byte("x"), 1<<20)); err == nil {
		t.Fatalf("the disk is not full: %s", path)
	}
	raw, err := encode(answers(0, 500))
	if err != nil {
		t.Fatal(err)
	}
	path, err := r.save(raw)
	if err != nil {
		t.Fatal(err)
	}
	more, err := encode(answers(500, 8))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := r.save(more); err != nil || again != path {
		t.Fatalf("a second time: %s, %v; the first was %s", again, err, path)
	}
	if all, err := read(path); err != nil || len(all) != 508 {
		t.Errorf("%d answers, %v", len(all), err)
	}
	if err := r.release(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("giving the room back took the answers: %v", err)
	}
	for range 2 {
		if !r.discard(path) {
			t.Error("what was saved twice is not discarded twice")
		}
	}
	if r.discard(path) || r.used != 0 {
		t.Errorf("stored, the room holds %d bytes of answers", r.used)
	}
	if _, err := r.save(more); err != nil {
		t.Errorf("the room cannot be used again: %v", err)
	}
}
