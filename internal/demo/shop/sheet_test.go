package shop

import (
	"bytes"
	"image"
	"image/draw"
	"image/png"
	"os"
	"testing"
)

// TestContactSheet writes all pictures into one, for people to look at:
//
//	MLLMREC_DEMO_SHEET=sheet.png go test ./demo -run ContactSheet
func TestContactSheet(t *testing.T) {
	path := os.Getenv("MLLMREC_DEMO_SHEET")
	if path == "" {
		t.Skip("MLLMREC_DEMO_SHEET names no file")
	}
	ds, images := Shop(Seed)
	const columns = 15
	rows := (len(ds.Items) + columns - 1) / columns
	sheet := image.NewRGBA(image.Rect(0, 0, columns*size, rows*size))
	for i, it := range ds.Items {
		img, err := png.Decode(bytes.NewReader(images[it.ID]))
		if err != nil {
			t.Fatal(err)
		}
		at := image.Pt(i%columns*size, i/columns*size)
		draw.Draw(sheet, image.Rectangle{at, at.Add(image.Pt(size, size))}, img, image.Point{}, draw.Src)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, sheet); err != nil {
		t.Fatal(err)
	}
}
