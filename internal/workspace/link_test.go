package workspace

import (
	"os"
	"path/filepath"
	"testing"
)

// What is made in a linked workspace does not touch the one that it was linked from, and files are there
// though the first is gone.
func TestALinkedWorkspaceStandsByItself(t *testing.T) {
	ws, addresses := chain(t)
	dir := filepath.Join(t.TempDir(), "linked")
	wanted := addresses[1] // made from addresses[0]; nothing else is linked
	if err := ws.Link(dir, wanted); err != nil {
		t.Fatal(err)
	}
	other, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(ws.Dir()); err != nil {
		t.Fatal(err)
	}
	ds, err := other.Dataset()
	if err != nil || ds.Users() == 0 {
		t.Fatalf("%v", err)
	}
	for _, address := range addresses[:2] {
		if c := other.Check(address); c.State != Fresh {
			t.Errorf("%s: %+v", address, c)
		}
	}
	if _, there := other.Artefact(addresses[2]); there {
		t.Errorf("%s was not asked for", addresses[2])
	}
	if err := ws.Link(dir, "features/nothing"); err != nil {
		t.Errorf("a workspace that is there already is made again: %v", err)
	}
	if err := other.Link(filepath.Join(t.TempDir(), "third"), "features/nothing"); err == nil {
		t.Error("an artefact that is not there was linked")
	}
}
