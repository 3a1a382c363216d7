package offline

import "math"

// lab is a colour in CIELAB under D65: lightness 0 to 100, a red–green, b yellow–blue.
type lab struct{ l, a, b float64 }

// named is a colour with its word.
type named struct {
	word string
	at   lab
}

// palette holds the colour words, each with one or two typical sRGB values. Of equally near
// colours the first is taken.
var palette = func() []named {
	p := make([]named, 0, len(paletteRGB))
	for _, c := range paletteRGB {
		p = append(p, named{c.word, toLab(float64(c.rgb>>16)/255, float64(c.rgb>>8&255)/255, float64(c.rgb&255)/255)})
	}
	return p
}()

// firstOf maps each entry of the palette to the first entry with the same word.
var firstOf = func() []int {
	first := make([]int, len(palette))
	for i := range palette {
		for first[i] = 0; palette[first[i]].word != palette[i].word; first[i]++ {
		}
	}
	return first
}()

var paletteRGB = []struct {
	word string
	rgb  uint32
}{
	{"white", 0xfdfdfd}, {"black", 0x101010}, {"charcoal", 0x3c3c3e}, {"grey", 0x808080}, {"silver", 0xc4c4c6},
	{"cream", 0xfbf3d9}, {"beige", 0xe0cfae}, {"tan", 0xc19a6b}, {"brown", 0x7a4a23}, {"chocolate", 0x3f2414},
	{"red", 0xd61f26}, {"maroon", 0x74141f}, {"coral", 0xfb7a66}, {"peach", 0xfcc9a4}, {"orange", 0xf58220},
	{"mustard", 0xc99a1e}, {"yellow", 0xf9e02c}, {"lime", 0xa3d930}, {"olive", 0x77772a}, {"green", 0x2f9e44},
	{"forest", 0x1c4a2c}, {"mint", 0xa9e6c4}, {"teal", 0x137c7c}, {"turquoise", 0x3fd0c9}, {"sky", 0x86c5ec},
	{"blue", 0x2360c8}, {"navy", 0x17244f}, {"lavender", 0xbfb0e3}, {"purple", 0x74329b}, {"magenta", 0xcf2a92},
	{"pink", 0xf7a6c4}, {"blush", 0xf6dcdc},
	{"blue", 0x1410f0}, {"navy", 0x02027c}, {"orange", 0xffa40a}, {"lavender", 0xdcdcf4}, {"green", 0x14c81e}, {"mustard", 0xb8860b},
}

// nearest returns the index of the palette colour nearest to c; colours with the same word
// have the same index.
func nearest(c lab) int {
	best, at := math.Inf(1), 0
	for i := range palette {
		if d := distance(palette[i].at, c); d < best {
			best, at = d, i
		}
	}
	return firstOf[at]
}

// distance is CIE94's colour difference with textile weights for chroma and hue: the
// plain distance in CIELAB would call every strong blue purple.
func distance(x, y lab) float64 {
	c1, c2 := math.Hypot(x.a, x.b), math.Hypot(y.a, y.b)
	dl, dc := x.l-y.l, c1-c2
	da, db := x.a-y.a, x.b-y.b
	dh2 := max(da*da+db*db-dc*dc, 0)
	sc, sh := 1+0.045*c1, 1+0.015*c1
	return math.Sqrt(dl*dl + dc*dc/(sc*sc) + dh2/(sh*sh))
}

// toLab converts gamma-coded sRGB in 0..1.
func toLab(r, g, b float64) lab {
	return fromLinear(linear(r), linear(g), linear(b))
}

func fromLinear(r, g, b float64) lab {
	x := labCurve((0.4124564*r + 0.3575761*g + 0.1804375*b) / 0.95047)
	y := labCurve(0.2126729*r + 0.7151522*g + 0.0721750*b)
	z := labCurve((0.0193339*r + 0.1191920*g + 0.9503041*b) / 1.08883)
	return lab{116*y - 16, 500 * (x - y), 200 * (y - z)}
}

func linear(v float64) float64 {
	if v <= 0.04045 {
		return v / 12.92
	}
	return math.Pow((v+0.055)/1.055, 2.4)
}

func labCurve(t float64) float64 {
	if t > 216.0/24389 {
		return math.Cbrt(t)
	}
	return (24389.0/27*t + 16) / 116
}
