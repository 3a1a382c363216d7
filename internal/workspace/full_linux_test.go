package workspace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// smallDisk mounts a file system of the given number of 4 kB pages.
func smallDisk(t *testing.T, pages int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", 4*pages)); err != nil {
		t.Skip("mounting a small tmpfs needs root: ", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, 0) })
	return dir
}

// fill leaves the given number of pages free on a small disk. The function that it returns
// makes room again.
func fill(t *testing.T, disk string, free int) (room func()) {
	t.Helper()
	var stat syscall.Statfs_t
	if err := syscall.Statfs(disk, &stat); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(disk, "ballast")
	if err := os.WriteFile(ballast, make([]byte, (int(stat.Bfree)-free)*int(stat.Bsize)), 0o666); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
	}
}

// Whichever file meets the full disk, nothing is left of the workspace.
func TestCreateOnFullDisk(t *testing.T) {
	ds := shop()
	for i := range 3000 { // users do not compress
		ds.UserIDs = append(ds.UserIDs, "u-"+HashInputs(i))
		ds.Append(dataset.Interaction{User: int32(i + 3), Item: int32(i % 5)})
	}
	failed := 0
	for _, pages := range []int{1, 2, 3, 5, 9, 17, 60, 70, 100} {
		disk := smallDisk(t, pages)
		_, err := Create(filepath.Join(disk, "ws"), ds, source())
		if err == nil {
			continue
		}
		failed++
		var full *atomicfile.FullError
		if _, ok := usererr.Hint(err); !ok && !errors.Is(err, syscall.ENOSPC) || errors.As(err, &full) && !ok {
			t.Errorf("%d pages: %v", pages, err)
		}
		if left := entries(t, disk); len(left) != 0 {
			t.Errorf("%d pages: left behind: %v", pages, left)
		}
	}
	if failed < 3 || failed == 9 {
		t.Errorf("%d of 9 disks were too small: the test's sizes miss the point", failed)
	}
}

// A disk that runs full later leaves the workspace as it was.
func TestFullDiskKeepsWorkspace(t *testing.T) {
	disk := smallDisk(t, 40)
	w := mustCreate(t, filepath.Join(disk, "ws"))
	address := recordTexts(t, w, KindItemTexts, ItemTextsFile, w.WriteItemTexts, itemTexts())
	big := itemTexts()
	for i := range 5000 {
		big[0].Text += HashInputs(i)
	}
	d, err := w.NewDraft(KindItemTexts)
	if err != nil {
		t.Fatal(err)
	}
	wantUserError(t, w.WriteItemTexts(d.Path(ItemTextsFile), each(big)), ItemTextsFile, "disk is full", "as it was")
	d.Discard()
	if left := entries(t, w.Path("texts")); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	got, err := w.ItemTexts(address)
	if err != nil || got[0] != itemTexts()[0] {
		t.Errorf("texts after the failed write: %v, %v", got, err)
	}
	if _, err := w.Dataset(); err != nil {
		t.Error(err)
	}
}
