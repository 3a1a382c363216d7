package shop

import "math"

// The looks that tastes are about. A colour's index is its place on a ring on which
// neighbours resemble each other (the last two stand beside it).
type (
	colour  int
	pattern int
)

var colours = []struct {
	name string
	rgb  rgb
	like []colour // colours that please who likes this one, by half
}{
	{"red", hex(0xd2302f), []colour{1, 9}},
	{"orange", hex(0xef8229), []colour{0, 2}},
	{"mustard", hex(0xd3a125), []colour{1, 10}},
	{"green", hex(0x379a50), []colour{4}},
	{"teal", hex(0x177f80), []colour{3, 6}},
	{"sky blue", hex(0x86c2ea), []colour{6}},
	{"blue", hex(0x2862c6), []colour{5, 7}},
	{"navy", hex(0x1a2852), []colour{6, 11}},
	{"purple", hex(0x773a9d), []colour{9}},
	{"pink", hex(0xf499bd), []colour{0, 8}},
	{"brown", hex(0x79492a), []colour{2, 11}},
	{"charcoal", hex(0x3d3e42), []colour{7, 10}},
}

const (
	patternPlain pattern = iota
	patternStripes
	patternDots
	patternChecks
	patterns
)

// look is how one product is drawn.
type look struct {
	colour  colour
	pattern pattern
	shape   int     // which of the product's designs
	scale   float64 // of the pattern, around 1
	turn    float64 // of the pattern, radians
}

func (l look) base() rgb   { return colours[l.colour].rgb }
func (l look) dark() rgb   { return lit(l.base(), 0.72) }
func (l look) accent() rgb { return mix(l.base(), hex(0xfaf6ec), 0.86) }

// body paints the product's main surface: its pattern, lit from the left; x0 and x1
// are the surface's edges.
func (l look) body(x0, x1 float64) paint {
	base, accent := l.base(), l.accent()
	cos, sin := math.Cos(l.turn), math.Sin(l.turn)
	return func(x, y float64) rgb {
		u, v := (x*cos+y*sin)/l.scale, (y*cos-x*sin)/l.scale
		c := mix(base, accent, l.cover(u, v))
		t := (x - x0) / max(x1-x0, 1)
		return lit(c, 1.10-0.30*t*t-0.06*math.Abs(t-0.3))
	}
}

// cover is how much of the accent colour shows at a point of the pattern, at most
// about two fifths on average, so that the base colour stays the product's.
func (l look) cover(u, v float64) float64 {
	switch l.pattern {
	case patternStripes:
		return edge(0.19*14 - math.Abs(wrap(v, 14)))
	case patternDots:
		row := math.Floor(v / 12)
		if math.Mod(row, 2) != 0 {
			u += 7
		}
		return edge(3.6 - math.Hypot(wrap(u, 14), wrap(v-6, 12)))
	case patternChecks:
		a, b := edge(4-math.Abs(wrap(u, 16))), edge(4-math.Abs(wrap(v, 16)))
		return 0.45*a + 0.45*b
	}
	return 0
}

// wrap brings x into ±period/2.
func wrap(x, period float64) float64 { return x - period*math.Round(x/period) }

// edge is a soft step, one unit wide, at d = 0.
func edge(d float64) float64 { return max(0, min(1, d+0.5)) }
