package workspace

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/workspace/workspacetest"
)

// A workspace of format 1 that cannot be written to is read as if it were upgraded.
func TestUpgradeOnReadOnlyDisk(t *testing.T) {
	disk := smallDisk(t, 400)
	workspacetest.Unpack(t, filepath.Join("testdata", "format1.tar.gz"), disk)
	dir := filepath.Join(disk, "paid.ws")
	before := contents(t, dir)
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skip("mounting read-only: ", err)
	}
	w := mustOpen(t, dir)
	if diff := cmp.Diff(paidEdges(), edges(w.Manifest())); diff != "" {
		t.Errorf("artefacts (-want +got):\n%s", diff)
	}
	if _, err := w.Dataset(); err != nil {
		t.Error(err)
	}
	if _, err := w.Lock(); err == nil {
		t.Error("a read-only workspace was locked")
	}
	if diff := cmp.Diff(before, contents(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// Whichever file meets the full disk, the workspace is of one format or the other, can be
// read, and is upgraded when there is room again.
func TestUpgradeOnFullDisk(t *testing.T) {
	formats := map[int]int{}
	for free := range 14 {
		disk := smallDisk(t, 400)
		workspacetest.Unpack(t, filepath.Join("testdata", "format1.tar.gz"), disk)
		dir := filepath.Join(disk, "paid.ws")
		ledger := contents(t, dir)[GenerationsFile]
		room := fill(t, disk, free)
		w := mustOpen(t, dir)
		if diff := cmp.Diff(paidEdges(), edges(w.Manifest())); diff != "" {
			t.Errorf("%d pages free: artefacts (-want +got):\n%s", free, diff)
		}
		formats[diskFormat(t, dir)]++
		if _, err := mustOpen(t, dir).Dataset(); err != nil {
			t.Errorf("%d pages free: %v", free, err)
		}
		room()
		if diff := cmp.Diff(paidEdges(), edges(mustOpen(t, dir).Manifest())); diff != "" || diskFormat(t, dir) != 2 {
			t.Errorf("%d pages free, then room: format %d, %s", free, diskFormat(t, dir), diff)
		}
		if contents(t, dir)[GenerationsFile] != ledger {
			t.Errorf("%d pages free: the ledger changed", free)
		}
	}
	if formats[1] < 3 || formats[2] < 1 {
		t.Errorf("openings that left format 1 and 2: %v; the test's sizes miss the point", formats)
	}
}
