package sqlite

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// smallDisk mounts a disk of so many kilobytes. fill takes all of it, free gives it back.
func smallDisk(t *testing.T, kilobytes int) (dir string, fill, free func()) {
	t.Helper()
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%dk", kilobytes)); err != nil {
		t.Skipf("mounting a small disk takes root: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) }) //nolint:errcheck // the folder is temporary
	filler := filepath.Join(dir, "filler")
	fill = func() {
		t.Helper()
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 4096))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	return dir, fill, func() { os.Remove(filler) } //nolint:errcheck // a test that fails here fails by what follows
}

// On a full disk reads go on, writes say what is wrong and that it may pass, what was acknowledged
// is kept, and once there is room the same store stores again.
func TestFullDisk(t *testing.T) {
	disk, fill, free := smallDisk(t, 2048)
	path := filepath.Join(disk, "live.db")
	s := openStore(t, path)
	var mu sync.Mutex
	acknowledged := map[string]int64{}
	post := func(key string) error {
		receipts, err := s.AddEvents(t.Context(), []live.Event{{User: "u", Item: "i", Type: live.View, Key: key}})
		if err == nil {
			mu.Lock()
			acknowledged[key] = receipts[0].Seq
			mu.Unlock()
		}
		return err
	}
	if _, err := s.EditPreference(t.Context(), live.Edit{User: "u", Text: "likes red", By: live.ByUser}); err != nil {
		t.Fatal(err)
	}
	failed := 0
	for round := range 3 {
		for i := range 50 {
			if err := post(fmt.Sprint("before", round, i)); err != nil {
				t.Fatal(err)
			}
		}
		fill()
		var wg sync.WaitGroup
		for c := range 8 {
			wg.Go(func() {
				for i := range 2000 {
					err := post(fmt.Sprint("full", round, "-", c, "-", i))
					if err == nil {
						continue
					}
					hint, _ := usererr.Hint(err)
					if !live.Unavailable(err) || usererr.KindOf(err) != usererr.KindUnavailable || !strings.Contains(err.Error(), path) || hint == "" {
						t.Errorf("%v (hint %q)", err, hint)
					}
					mu.Lock()
					failed++
					mu.Unlock()
					return
				}
			})
		}
		wg.Wait()
		_, err := s.PutItems(t.Context(), []dataset.Item{{ID: "i", Description: strings.Repeat("x", 1<<20)}})
		if !live.Unavailable(err) {
			t.Errorf("a megabyte on a full disk: %v", err)
		}
		if p, there, err := s.Preference(t.Context(), "u"); err != nil || !there || p.Text != "likes red" {
			t.Errorf("reading on a full disk: %+v, %v", p, err)
		}
		if got, err := s.Events(t.Context(), 0, 10); err != nil || len(got) != 10 {
			t.Errorf("reading on a full disk: %d events, %v", len(got), err)
		}
		free()
	}
	if failed == 0 {
		t.Error("no post failed: the test does not see what it is for")
	}
	if err := post("after"); err != nil {
		t.Errorf("with room again: %v", err)
	}
	stored := sameEvents(t, openStore(t, path), acknowledged)
	t.Logf("%d events acknowledged, %d stored, %d posts failed", len(acknowledged), stored, failed)
}

// sameEvents looks for what was acknowledged and for what is there twice, and returns how many
// events there are.
func sameEvents(t *testing.T, s *live.Store, acknowledged map[string]int64) int {
	t.Helper()
	met := map[string]int64{}
	if err := s.EachEvent(t.Context(), 0, func(e live.Event) error {
		if met[e.Key] != 0 {
			t.Errorf("%s is there twice", e.Key)
		}
		met[e.Key] = e.Seq
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for key, seq := range acknowledged {
		if met[key] != seq {
			t.Errorf("%s was acknowledged as event %d and is %d (0: not there)", key, seq, met[key])
		}
	}
	return len(met)
}

// On a read-only medium the state can be read, and writing says why it cannot be.
func TestReadOnlyMedium(t *testing.T) {
	disk, _, _ := smallDisk(t, 4096)
	path := filepath.Join(disk, "live.db")
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddUsers(t.Context(), []string{"u"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("", disk, "", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("mounting again takes root: %v", err)
	}
	s = openStore(t, path)
	if got, _, err := s.Changes(t.Context(), 0, 10); err != nil || len(got) != 1 || got[0].User.ID != "u" {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = s.AddUsers(t.Context(), []string{"v"})
	if hint, _ := usererr.Hint(err); !live.Unavailable(err) || !strings.Contains(err.Error(), "only be read") || hint == "" {
		t.Errorf("%v (hint %q)", err, hint)
	}
}
