package image

import (
	goimage "image"
	"image/color"
	"image/draw"
)

// bandRows is the number of source rows converted at a time, so that the whole picture is not
// in memory twice.
const bandRows = 64

// shrink returns src on white, with its longer side at most longSide. Each pixel is the exact
// average of the area that it covers, computed in integers and so the same on every machine.
// shrink never enlarges.
func shrink(src goimage.Image, longSide int) *goimage.RGBA {
	b := src.Bounds()
	w, h := fit(b.Dx(), b.Dy(), longSide)
	dst := goimage.NewRGBA(goimage.Rect(0, 0, w, h))
	if w == b.Dx() && h == b.Dy() {
		flatten(dst, src, b.Min)
		return dst
	}
	s := newScaler(b.Dx(), b.Dy(), dst)
	for y := 0; y < b.Dy(); y += bandRows {
		band := goimage.NewRGBA(goimage.Rect(0, 0, b.Dx(), min(bandRows, b.Dy()-y)))
		flatten(band, src, b.Min.Add(goimage.Pt(0, y)))
		for i := range band.Rect.Dy() {
			s.row(band.Pix[i*band.Stride:], y+i)
		}
	}
	return dst
}

// fit returns the size of a w×h picture after shrinking.
func fit(w, h, longSide int) (int, int) {
	long := max(w, h)
	if long <= longSide {
		return w, h
	}
	scaled := func(n int) int { return max(1, (2*n*longSide+long)/(2*long)) }
	return scaled(w), scaled(h)
}

// flatten draws the part of src at sp on white.
func flatten(dst *goimage.RGBA, src goimage.Image, sp goimage.Point) {
	if o, ok := src.(interface{ Opaque() bool }); ok && isAlwaysOpaque(src) && o.Opaque() {
		draw.Draw(dst, dst.Rect, src, sp, draw.Src)
		return
	}
	draw.Draw(dst, dst.Rect, goimage.NewUniform(color.White), goimage.Point{}, draw.Src)
	draw.Draw(dst, dst.Rect, src, sp, draw.Over)
}

// isAlwaysOpaque reports whether pictures of this type have no alpha, so that their pixels
// need not be checked.
func isAlwaysOpaque(src goimage.Image) bool {
	switch src.(type) {
	case *goimage.YCbCr, *goimage.Gray, *goimage.Gray16, *goimage.CMYK:
		return true
	}
	return false
}

// scaler averages rows of the source into rows of dst. Lengths are measured in units in
// which both a source pixel (w units) and a destination pixel (W units) are whole.
type scaler struct {
	W, H int // source
	w, h int // destination
	dst  *goimage.RGBA
	line []uint32 // one source row averaged along x: sums with weights that add up to W
	sum  []uint64 // sums of the destination row in progress: weights along y add up to H
	y    int      // its number
}

func newScaler(W, H int, dst *goimage.RGBA) *scaler {
	w, h := dst.Rect.Dx(), dst.Rect.Dy()
	return &scaler{W: W, H: H, w: w, h: h, dst: dst, line: make([]uint32, 3*w), sum: make([]uint64, 3*w)}
}

// row adds source row y, RGBA and opaque.
func (s *scaler) row(pix []byte, y int) {
	s.average(pix)
	// Source row y covers [y·h, (y+1)·h) of H·h units, destination row Y [Y·H, (Y+1)·H).
	for at, end := y*s.h, (y+1)*s.h; at < end; {
		stop := min(end, (s.y+1)*s.H)
		weight := uint64(stop - at)
		for i, v := range s.line {
			s.sum[i] += weight * uint64(v)
		}
		at = stop
		if at == (s.y+1)*s.H {
			s.emit()
		}
	}
}

func (s *scaler) average(pix []byte) {
	clear(s.line)
	x, room := 0, s.W // destination pixel and the units it still lacks
	for i := range s.W {
		p := pix[4*i : 4*i+4 : 4*i+4]
		r, g, b := uint32(p[0]), uint32(p[1]), uint32(p[2])
		for left := s.w; left > 0; {
			n := min(left, room)
			o := s.line[3*x : 3*x+3 : 3*x+3]
			o[0] += uint32(n) * r
			o[1] += uint32(n) * g
			o[2] += uint32(n) * b
			left -= n
			if room -= n; room == 0 {
				x, room = x+1, s.W
			}
		}
	}
}

func (s *scaler) emit() {
	area := uint64(s.W) * uint64(s.H)
	out := s.dst.Pix[s.y*s.dst.Stride:]
	for x := range s.w {
		for c := range 3 {
			out[4*x+c] = byte((s.sum[3*x+c] + area/2) / area)
		}
		out[4*x+3] = 0xff
	}
	clear(s.sum)
	s.y++
}

// applyOrientation returns img turned upright, given its EXIF orientation.
func applyOrientation(img *goimage.RGBA, orientation int) *goimage.RGBA {
	if orientation <= 1 || orientation > 8 {
		return img
	}
	w, h := img.Rect.Dx(), img.Rect.Dy()
	out := goimage.NewRGBA(goimage.Rect(0, 0, w, h))
	if orientation >= 5 {
		out = goimage.NewRGBA(goimage.Rect(0, 0, h, w))
	}
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			sx, sy := x, y
			switch orientation {
			case 2: // mirrored left to right
				sx = w - 1 - x
			case 3: // upside down
				sx, sy = w-1-x, h-1-y
			case 4: // mirrored top to bottom
				sy = h - 1 - y
			case 5: // transposed
				sx, sy = y, x
			case 6: // to be turned a quarter clockwise
				sx, sy = y, h-1-x
			case 7: // transposed over the other diagonal
				sx, sy = w-1-y, h-1-x
			case 8: // to be turned a quarter counter-clockwise
				sx, sy = w-1-y, x
			}
			copy(out.Pix[y*out.Stride+4*x:][:4], img.Pix[sy*img.Stride+4*sx:][:4])
		}
	}
	return out
}
