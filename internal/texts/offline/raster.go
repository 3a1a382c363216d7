package offline

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	_ "image/gif" // the first frame
	_ "image/jpeg"
	_ "image/png"

	_ "golang.org/x/image/webp"
)

// Limits on a picture before anything of it is decoded.
const (
	maxImageBytes  = 64 << 20
	maxImagePixels = 50_000_000
)

// side is the longer side of the raster that pictures are measured on, in cells.
const side = 96

// raster is a picture averaged down to cells, on white where it was transparent.
type raster struct {
	w, h   int // cells
	pw, ph int // pixels of the picture
	cells  []lab
}

func (r *raster) at(x, y int) lab { return r.cells[y*r.w+x] }

// decode reads a picture's bytes within the limits. A panic of the decoder becomes an error:
// the picture is damaged.
func decode(data []byte) (m image.Image, err error) {
	if len(data) > maxImageBytes {
		return nil, fmt.Errorf("picture of %d bytes, the limit is %d", len(data), maxImageBytes)
	}
	defer func() {
		if p := recover(); p != nil {
			m, err = nil, fmt.Errorf("damaged picture: %v", p)
		}
	}()
	cfg, format, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("read the picture's header: %w", err)
	}
	if cfg.Width <= 0 || cfg.Height <= 0 || cfg.Width > maxImagePixels/cfg.Height {
		return nil, fmt.Errorf("%s picture of %d×%d pixels, the limit is %d million", format, cfg.Width, cfg.Height, maxImagePixels/1_000_000)
	}
	if m, _, err = image.Decode(bytes.NewReader(data)); err != nil {
		return nil, fmt.Errorf("decode the %s picture: %w", format, err)
	}
	return m, nil
}

// rasterise averages the picture to at most side×side cells. Large cells are averaged over an
// evenly spaced sample of their pixels.
func rasterise(m image.Image) (*raster, error) {
	b := m.Bounds()
	pw, ph := b.Dx(), b.Dy()
	if pw <= 0 || ph <= 0 {
		return nil, fmt.Errorf("picture without pixels")
	}
	r := &raster{w: min(pw, side), h: min(ph, side), pw: pw, ph: ph}
	if pw > ph {
		r.h = max(1, min(ph, side*ph/pw))
	} else {
		r.w = max(1, min(pw, side*pw/ph))
	}
	r.cells = make([]lab, r.w*r.h)
	at := pixels(m)
	for y := range r.h {
		y0, y1 := b.Min.Y+y*ph/r.h, b.Min.Y+(y+1)*ph/r.h
		for x := range r.w {
			r.cells[y*r.w+x] = average(at, b.Min.X+x*pw/r.w, b.Min.X+(x+1)*pw/r.w, y0, y1)
		}
	}
	return r, nil
}

// samples bounds the pixels read in a cell, in each direction.
const samples = 6

func average(at func(x, y int) (r, g, b float64), x0, x1, y0, y1 int) lab {
	var r, g, b float64
	nx, ny := min(x1-x0, samples), min(y1-y0, samples)
	for j := range ny {
		y := y0 + (2*j+1)*(y1-y0)/(2*ny)
		for i := range nx {
			pr, pg, pb := at(x0+(2*i+1)*(x1-x0)/(2*nx), y)
			r, g, b = r+pr, g+pg, b+pb
		}
	}
	n := float64(nx * ny)
	return fromLinear(r/n, g/n, b/n)
}

// pixels returns a reader of linear RGB composed on white.
func pixels(m image.Image) func(x, y int) (r, g, b float64) {
	if ycc, ok := m.(*image.YCbCr); ok { // JPEG's own type: no interface value a pixel
		return func(x, y int) (float64, float64, float64) {
			yi, ci := ycc.YOffset(x, y), ycc.COffset(x, y)
			r, g, b := color.YCbCrToRGB(ycc.Y[yi], ycc.Cb[ci], ycc.Cr[ci])
			return linear8[r], linear8[g], linear8[b]
		}
	}
	return func(x, y int) (float64, float64, float64) {
		r, g, b, a := m.At(x, y).RGBA() // premultiplied
		white := 0xffff - a
		return linear8[(r+white)>>8&255], linear8[(g+white)>>8&255], linear8[(b+white)>>8&255]
	}
}

// linear8 is the linear light of each 8-bit sRGB value.
var linear8 = func() (t [256]float64) {
	for i := range t {
		t[i] = linear(float64(i) / 255)
	}
	return t
}()
