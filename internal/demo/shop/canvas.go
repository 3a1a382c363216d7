package shop

import (
	"bytes"
	"image"
	"image/draw"
	"image/png"
	"math"

	"golang.org/x/image/vector"
)

// size is the width and height of a picture. All drawing is in these units.
const size = 160

// rgb is a colour with components from 0 to 255.
type rgb [3]float64

// hex returns the colour 0xRRGGBB.
func hex(v uint32) rgb {
	return rgb{float64(v >> 16), float64(v >> 8 & 255), float64(v & 255)}
}

// mix goes from a (t = 0) to b (t = 1).
func mix(a, b rgb, t float64) rgb {
	for i := range a {
		a[i] += (b[i] - a[i]) * t
	}
	return a
}

// lit multiplies the lightness; above 1 it goes towards white.
func lit(c rgb, f float64) rgb {
	if f > 1 {
		return mix(c, rgb{255, 255, 255}, min(f-1, 1))
	}
	return mix(rgb{}, c, f)
}

// paint gives the colour at a point.
type paint func(x, y float64) rgb

func plain(c rgb) paint { return func(float64, float64) rgb { return c } }

// canvas is a picture in the making.
type canvas struct {
	img  *image.RGBA
	mask *image.Alpha
	z    *vector.Rasterizer
}

func newCanvas() *canvas {
	r := image.Rect(0, 0, size, size)
	return &canvas{image.NewRGBA(r), image.NewAlpha(r), vector.NewRasterizer(size, size)}
}

// backdrop fills the canvas from top to bottom.
func (c *canvas) backdrop(top, bottom rgb) {
	for y := range size {
		col := mix(top, bottom, float64(y)/size)
		for x := range size {
			c.blend(x, y, col, 255)
		}
	}
}

// shadow lays a soft dark ellipse under a product.
func (c *canvas) shadow(cx, cy, rx, ry float64) {
	for y := max(0, int(cy-ry)); y < min(size, int(cy+ry)+1); y++ {
		for x := max(0, int(cx-rx)); x < min(size, int(cx+rx)+1); x++ {
			dx, dy := (float64(x)+0.5-cx)/rx, (float64(y)+0.5-cy)/ry
			if d := dx*dx + dy*dy; d < 1 {
				c.blend(x, y, rgb{60, 50, 50}, uint8(85*(1-d)*(1-d)+0.5))
			}
		}
	}
}

func (c *canvas) blend(x, y int, col rgb, alpha uint8) {
	p := c.img.Pix[c.img.PixOffset(x, y):]
	a := float64(alpha) / 255
	for i := range 3 {
		v := float64(p[i]) + (col[i]-float64(p[i]))*a
		p[i] = uint8(max(0, min(255, v)) + 0.5)
	}
	p[3] = 255
}

// fill paints the inside of a shape, its edges anti-aliased. Parts that run against
// the clock cut holes into parts that run with it.
func (c *canvas) fill(s shape, p paint) {
	c.z.Reset(size, size)
	c.z.DrawOp = draw.Src
	x0, y0, x1, y1 := float64(size), float64(size), 0.0, 0.0
	for _, part := range s {
		for i, q := range part {
			if i == 0 {
				c.z.MoveTo(float32(q.x), float32(q.y))
			} else {
				c.z.LineTo(float32(q.x), float32(q.y))
			}
			x0, y0, x1, y1 = min(x0, q.x), min(y0, q.y), max(x1, q.x), max(y1, q.y)
		}
		c.z.ClosePath()
	}
	c.z.Draw(c.mask, c.mask.Bounds(), image.Opaque, image.Point{})
	for y := max(0, int(y0)); y < min(size, int(y1)+1); y++ {
		for x := max(0, int(x0)); x < min(size, int(x1)+1); x++ {
			if a := c.mask.Pix[c.mask.PixOffset(x, y)]; a > 0 {
				c.blend(x, y, p(float64(x)+0.5, float64(y)+0.5), a)
			}
		}
	}
}

// png encodes the picture.
func (c *canvas) png() []byte {
	var b bytes.Buffer
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := e.Encode(&b, c.img); err != nil {
		panic("demo: a picture in memory cannot fail to encode: " + err.Error())
	}
	return b.Bytes()
}

// point is a place on the canvas, y downwards.
type point struct{ x, y float64 }

// shape is a union of closed polygons; curves are cut into short lines.
type shape [][]point

const arcSteps = 40

// join unites shapes.
func join(shapes ...shape) shape {
	var all shape
	for _, s := range shapes {
		all = append(all, s...)
	}
	return all
}

// poly is a polygon through x, y pairs.
func poly(xy ...float64) shape {
	pts := make([]point, len(xy)/2)
	for i := range pts {
		pts[i] = point{xy[2*i], xy[2*i+1]}
	}
	return shape{clockwise(pts)}
}

// clockwise turns a polygon so that shapes of one fill add up.
func clockwise(pts []point) []point {
	area := 0.0
	for i, p := range pts {
		q := pts[(i+1)%len(pts)]
		area += p.x*q.y - q.x*p.y
	}
	if area < 0 {
		for i, j := 0, len(pts)-1; i < j; i, j = i+1, j-1 {
			pts[i], pts[j] = pts[j], pts[i]
		}
	}
	return pts
}

func ellipse(cx, cy, rx, ry float64) shape {
	return shape{clockwise(arc(cx, cy, rx, ry, 0, 2*math.Pi))}
}

// arc samples an ellipse from angle a to b, 0 to the right, growing downwards.
func arc(cx, cy, rx, ry, a, b float64) []point {
	pts := make([]point, arcSteps+1)
	for i := range pts {
		t := a + (b-a)*float64(i)/arcSteps
		pts[i] = point{cx + rx*math.Cos(t), cy + ry*math.Sin(t)}
	}
	return pts
}

// rounded is a rectangle with corners of radius r.
func rounded(x0, y0, x1, y1, r float64) shape {
	var pts []point
	for i, c := range [4]point{{x1 - r, y1 - r}, {x0 + r, y1 - r}, {x0 + r, y0 + r}, {x1 - r, y0 + r}} {
		a := float64(i) * math.Pi / 2
		pts = append(pts, arc(c.x, c.y, r, r, a, a+math.Pi/2)...)
	}
	return shape{clockwise(pts)}
}

// smooth is a closed curve through x, y pairs (Catmull–Rom).
func smooth(xy ...float64) shape {
	n := len(xy) / 2
	at := func(i int) point { i = (i + n) % n; return point{xy[2*i], xy[2*i+1]} }
	var pts []point
	for i := range n {
		pts = append(pts, spline(at(i-1), at(i), at(i+1), at(i+2))...)
	}
	return shape{clockwise(pts)}
}

// curve is an open curve through x, y pairs.
func curve(xy ...float64) []point {
	n := len(xy) / 2
	at := func(i int) point { i = max(0, min(i, n-1)); return point{xy[2*i], xy[2*i+1]} }
	var pts []point
	for i := range n - 1 {
		pts = append(pts, spline(at(i-1), at(i), at(i+1), at(i+2))...)
	}
	return append(pts, at(n-1))
}

func spline(p0, p1, p2, p3 point) []point {
	const steps = 12
	pts := make([]point, steps)
	f := func(a, b, c, d, t float64) float64 {
		return 0.5 * (2*b + (c-a)*t + (2*a-5*b+4*c-d)*t*t + (3*b-a-3*c+d)*t*t*t)
	}
	for i := range pts {
		t := float64(i) / steps
		pts[i] = point{f(p0.x, p1.x, p2.x, p3.x, t), f(p0.y, p1.y, p2.y, p3.y, t)}
	}
	return pts
}

// stroke is a line of width w along pts with round ends and joints.
func stroke(w float64, pts ...point) shape {
	var s shape
	r := w / 2
	for i, p := range pts {
		if i == 0 || i == len(pts)-1 || len(pts) < 8 || i%2 == 0 {
			s = append(s, clockwise(arc(p.x, p.y, r, r, 0, 2*math.Pi)))
		}
		if i == 0 {
			continue
		}
		q := pts[i-1]
		dx, dy := p.x-q.x, p.y-q.y
		l := math.Hypot(dx, dy)
		if l == 0 {
			continue
		}
		nx, ny := -dy/l*r, dx/l*r
		s = append(s, clockwise([]point{{q.x + nx, q.y + ny}, {p.x + nx, p.y + ny}, {p.x - nx, p.y - ny}, {q.x - nx, q.y - ny}}))
	}
	return s
}

// line is a stroke through x, y pairs.
func line(w float64, xy ...float64) shape {
	pts := make([]point, len(xy)/2)
	for i := range pts {
		pts[i] = point{xy[2*i], xy[2*i+1]}
	}
	return stroke(w, pts...)
}
