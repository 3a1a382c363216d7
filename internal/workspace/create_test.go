package workspace

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/labelled/labelledtest"
)

// entries lists a folder, hidden names too.
func entries(t *testing.T, dir string) []string {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range list {
		names = append(names, e.Name())
	}
	return names
}

func TestCreateWhereSomethingIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ws")
	first := mustCreate(t, dir)

	again, err := Create(dir, shop(), source())
	if err != nil {
		t.Fatalf("the same source again: %v", err)
	}
	if !again.Manifest().Created.Equal(first.Manifest().Created) {
		t.Error("the same source again made a new workspace")
	}

	otherOptions := source()
	otherOptions.Options["split"] = "random"
	_, err = Create(dir, shop(), otherOptions)
	wantUserError(t, err, dir, "exists already", "option split was labelled, is random")

	otherSplit := shop()
	labelledtest.Edit(otherSplit, func(rows []dataset.Interaction) { rows[0].Label = dataset.Valid })
	_, err = Create(dir, otherSplit, source())
	wantUserError(t, err, "exists already", "source files differ")

	if err := os.Remove(filepath.Join(dir, UsersFile)); err != nil {
		t.Fatal(err)
	}
	_, err = Create(dir, shop(), source())
	wantUserError(t, err, "exists already", "users.parquet is missing")

	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "items.parquet"), []byte("mine"), 0o666); err != nil {
		t.Fatal(err)
	}
	_, err = Create(full, shop(), source())
	wantUserError(t, err, full, "holds items.parquet")
	if got, _ := os.ReadFile(filepath.Join(full, "items.parquet")); string(got) != "mine" {
		t.Error("somebody's file was overwritten")
	}
	file := filepath.Join(full, "items.parquet")
	if _, err := Create(file, shop(), source()); err == nil {
		t.Error("a file was taken for a folder")
	}
}

// An empty folder keeps its identity: it may be the current folder or a mount point.
func TestCreateInEmptyFolder(t *testing.T) {
	dir := t.TempDir()
	before, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	w := mustCreate(t, ".")
	if _, err := w.Dataset(); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(dir)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("another folder stands there now (%v)", err)
	}
	want := []string{InteractionsFile, ItemsFile, UsersFile, ManifestFile}
	if diff := cmp.Diff(want, entries(t, dir)); diff != "" {
		t.Error(diff)
	}
}

// A Create that was killed while its files moved into an existing folder is taken up.
func TestCreateGoesOnAfterInterruptedMove(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{movingFile, ItemsFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := mustCreate(t, dir).Dataset(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, movingFile)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the marker is still there: %v", err)
	}
}

func TestCreateRejectsBadData(t *testing.T) {
	edit := func(change func(rows []dataset.Interaction)) func(*dataset.Dataset) {
		return func(ds *dataset.Dataset) { labelledtest.Edit(ds, change) }
	}
	for name, c := range map[string]struct {
		spoil func(*dataset.Dataset)
		words []string
	}{
		"item out of range":  {edit(func(rows []dataset.Interaction) { rows[2].Item = 5 }), []string{"interactions, row 2", "item 5 is outside the 5"}},
		"negative item":      {edit(func(rows []dataset.Interaction) { rows[0].Item = -1 }), []string{"interactions, row 0", "item -1"}},
		"user out of range":  {edit(func(rows []dataset.Interaction) { rows[3].User = 3 }), []string{"interactions, row 3", "user 3 is outside the 3"}},
		"bad label":          {edit(func(rows []dataset.Interaction) { rows[1].Label = 3 }), []string{"interactions, row 1", "label 3"}},
		"users out of order": {edit(func(rows []dataset.Interaction) { rows[2].User = 2; rows[3].User = 1 }), []string{"row 3", "sorted"}},
		"times out of order": {edit(func(rows []dataset.Interaction) { rows[1].Time = 9 }), []string{"row 1", "sorted"}},
		"item id twice":      {func(ds *dataset.Dataset) { ds.Items[4].ID = "i1" }, []string{"items, row 4", `"i1"`, "row 1 already"}},
		"user id twice":      {func(ds *dataset.Dataset) { ds.UserIDs[2] = "ann" }, []string{"users, row 2", `"ann"`, "row 0 already"}},
		"empty id":           {func(ds *dataset.Dataset) { ds.Items[0].ID = "" }, []string{"items, row 0", "empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			parent := t.TempDir()
			ds := shop()
			c.spoil(ds)
			_, err := Create(filepath.Join(parent, "ws"), ds, source())
			for _, w := range c.words {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("error %v does not say %q", err, w)
				}
			}
			if left := entries(t, parent); len(left) != 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

const killDir = "MLLMREC_TEST_CREATE_DIR"

// TestCreateHelper is the process that TestKilledCreate kills.
func TestCreateHelper(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("runs as a child process only")
	}
	if _, err := Create(dir, wideShop(), source()); err != nil {
		t.Fatal(err)
	}
}

// wideShop takes some milliseconds to write.
func wideShop() *dataset.Dataset {
	ds := shop()
	for i := range 20_000 {
		ds.Append(dataset.Interaction{User: 2, Item: int32(i % 5), Time: 1<<40 + int64(i)})
	}
	return ds
}

// However early or late a Create is killed, there is a whole workspace or none, and
// the next Create succeeds and clears away what the dead one left.
func TestKilledCreate(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	rng := rand.New(rand.NewPCG(1, 2))
	for _, prepared := range []bool{false, true} {
		for range 8 {
			parent := t.TempDir()
			dir := filepath.Join(parent, "ws")
			if prepared {
				if err := os.Mkdir(dir, 0o777); err != nil {
					t.Fatal(err)
				}
			}
			cmd := exec.Command(os.Args[0], "-test.run=^TestCreateHelper$")
			cmd.Env = append(os.Environ(), killDir+"="+dir)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Duration(rng.IntN(40)) * time.Millisecond)
			cmd.Process.Kill()
			cmd.Wait()
			if w, err := Open(dir); err == nil {
				if _, err := w.Dataset(); err != nil {
					t.Fatalf("a workspace that cannot be read: %v", err)
				}
			}
			for _, e := range entries(t, parent) { // young and not yet locked: spared for a minute
				if _, err := os.Stat(filepath.Join(parent, e, lockFile)); errors.Is(err, fs.ErrNotExist) && strings.Contains(e, stagingMark) {
					os.RemoveAll(filepath.Join(parent, e)) // killed while it was cleared away, the lock first
				}
			}
			w, err := Create(dir, wideShop(), source())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.Dataset(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"ws"}, entries(t, parent)); diff != "" {
				t.Errorf("left behind (-want +got):\n%s", diff)
			}
		}
	}
}

// Many make the same workspace at once, each sweeping what the others begin: all succeed,
// and nothing is left beside it but the workspace.
func TestCreatesDoNotSweepEachOther(t *testing.T) {
	parent := t.TempDir()
	for _, left := range []string{".ws.create-empty", ".ws.create-torn"} { // killed before the lock; while it was swept
		if err := os.Mkdir(filepath.Join(parent, left), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(parent, ".ws.create-torn", ItemsFile), []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	var makers sync.WaitGroup
	for range 8 {
		makers.Go(func() {
			if _, err := Create(filepath.Join(parent, "ws"), shop(), source()); err != nil {
				t.Error(err)
			}
		})
	}
	makers.Wait()
	if left := entries(t, parent); len(left) != 1 {
		t.Errorf("there are %v", left)
	}
}
