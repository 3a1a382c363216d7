package shop

import (
	"os"
	"path/filepath"
	"testing"
)

// Pictures that a killed demo left half written do not count as drawn, and are drawn again.
func TestTornPicturesAreDrawnAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images")
	images := map[string][]byte{"a": []byte("first"), "b": []byte("second")}
	if Drawn(dir, 2) {
		t.Error("nothing counts as drawn")
	}
	if err := WriteImages(dir, images); err != nil || !Drawn(dir, 2) || Drawn(dir, 3) {
		t.Fatalf("%v, drawn: %v, as many as three: %v", err, Drawn(dir, 2), Drawn(dir, 3))
	}
	making := filepath.Join(filepath.Dir(dir), drawing)
	if err := os.Mkdir(making, 0o755); err != nil { // as a kill leaves it
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(making, "b.png"), []byte("sec"), 0o644); err != nil {
		t.Fatal(err)
	}
	if Drawn(dir, 2) {
		t.Error("with a half picture beside them, all count as drawn")
	}
	if err := WriteImages(dir, images); err != nil || !Drawn(dir, 2) {
		t.Errorf("%v, drawn: %v", err, Drawn(dir, 2))
	}
	for id, want := range images {
		if raw, err := os.ReadFile(filepath.Join(dir, id+".png")); err != nil || string(raw) != string(want) {
			t.Errorf("%s: %q, %v", id, raw, err)
		}
	}
}
