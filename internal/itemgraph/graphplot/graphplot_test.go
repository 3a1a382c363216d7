package graphplot

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func stats(t *testing.T) itemgraph.Stats {
	rng := rand.New(rand.NewPCG(1, 2))
	ds := &dataset.Dataset{UserIDs: make([]string, 200), Items: make([]dataset.Item, 300)}
	for range 2000 {
		ds.Append(dataset.Interaction{User: rng.Int32N(200), Item: int32(300 * rng.Float64() * rng.Float64())})
	}
	ds.Sort()
	x := tensor.New(300, 8)
	for i := range x.Data {
		x.Data[i] = float32(rng.NormFloat64()) + 0.3
	}
	g, err := itemgraph.Build(t.Context(), x, ds.TrainHistories(), itemgraph.DefaultOptions())
	if err != nil {
		t.Fatal(err)
	}
	return g.Stats()
}

func TestSaveDrawsBothFormats(t *testing.T) {
	s, dir := stats(t), t.TempDir()
	for _, name := range []string{"graph.svg", "graph.png"} {
		if err := Save(filepath.Join(dir, name), s); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(filepath.Join(dir, "graph.png"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	colours := map[uint32]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			r, g, b, _ := img.At(x, y).RGBA()
			colours[r>>8<<16|g>>8<<8|b>>8] = true
		}
	}
	for name, c := range map[string]uint32{"curve": 0x1f4e79, "bars": 0x9cc3e0, "threshold": 0xc0392b} {
		if !colours[c] {
			t.Errorf("the picture has no %s", name)
		}
	}
	svg, err := os.ReadFile(filepath.Join(dir, "graph.svg"))
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("the SVG is not well formed: %v", err)
		}
	}
	for _, text := range []string{"Top-10 edges below a similarity", "threshold 0.7", "degree"} {
		if !strings.Contains(string(svg), text) {
			t.Errorf("the SVG does not say %q", text)
		}
	}
}

func TestEmptyGraphDraws(t *testing.T) {
	var out bytes.Buffer
	if err := Write(&out, "svg", itemgraph.Stats{}); err != nil || out.Len() == 0 {
		t.Errorf("%d bytes, %v", out.Len(), err)
	}
}

func TestUnknownFormat(t *testing.T) {
	path := filepath.Join(t.TempDir(), "graph.gif")
	if _, user := usererr.Hint(Save(path, itemgraph.Stats{})); !user {
		t.Error("a .gif is not refused as the user's mistake")
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a refused plot left a file")
	}
}
