package offline

import (
	"cmp"
	"math"
	"slices"
)

// look holds the measurements that the sentence is written from.
type look struct {
	colours    []string // of the subject, the most frequent first
	background string   // colour word; empty: no plain background
	area       float64  // part of the frame that is subject; 1 without a plain background
	cx, cy     float64  // centre of the subject, 0 to 1
	light      float64  // mean lightness, 0 to 100
	contrast   float64  // standard deviation of the lightness
	chroma     float64  // mean chroma of the subject
	pattern    string
	aspect     float64 // width / height
}

const (
	plainBorder = 0.7 // part of the border that must be of one colour for a plain background
	sameColour  = 12  // colour difference below which a cell is background
	minSubject  = 0.01
)

func measure(r *raster) look {
	l := look{area: 1, cx: 0.5, cy: 0.5, aspect: float64(r.pw) / float64(r.ph)}
	subject := make([]bool, len(r.cells))
	if ground, plain := border(r); plain {
		l.area = 0
		var sx, sy float64
		for y := range r.h {
			for x := range r.w {
				if distance(ground, r.at(x, y)) > sameColour {
					subject[y*r.w+x] = true
					l.area++
					sx += float64(x) + 0.5
					sy += float64(y) + 0.5
				}
			}
		}
		if l.area > 0 {
			l.cx, l.cy = sx/l.area/float64(r.w), sy/l.area/float64(r.h)
		}
		l.area /= float64(len(r.cells))
		l.background = palette[nearest(ground)].word
	}
	if l.background == "" || l.area < minSubject {
		for i := range subject {
			subject[i] = true
		}
	}
	subject = withoutOutline(subject, r.w, r.h)
	l.light, l.contrast = lightness(r)
	names := make([]int, len(r.cells))
	for i, c := range r.cells {
		names[i] = -1
		if subject[i] {
			names[i] = nearest(c)
		}
	}
	l.colours = dominant(names)
	l.chroma = chroma(r, subject)
	l.pattern = pattern(r, subject, names)
	return l
}

// withoutOutline drops the cells at the edge of the subject, which mix its colours with
// the background's, unless nothing would be left.
func withoutOutline(subject []bool, w, h int) []bool {
	inner := make([]bool, len(subject))
	left := 0
	for i, s := range subject {
		x, y := i%w, i/w
		if s && (x == 0 || subject[i-1]) && (x == w-1 || subject[i+1]) && (y == 0 || subject[i-w]) && (y == h-1 || subject[i+w]) {
			inner[i] = true
			left++
		}
	}
	if left == 0 {
		return subject
	}
	return inner
}

// border returns the median colour of the outermost cells and whether most of them
// are near it.
func border(r *raster) (lab, bool) {
	var edge []lab
	for y := range r.h {
		for x := range r.w {
			if x == 0 || y == 0 || x == r.w-1 || y == r.h-1 {
				edge = append(edge, r.at(x, y))
			}
		}
	}
	median := func(of func(lab) float64) float64 {
		v := make([]float64, len(edge))
		for i, c := range edge {
			v[i] = of(c)
		}
		slices.Sort(v)
		return v[len(v)/2]
	}
	ground := lab{median(func(c lab) float64 { return c.l }), median(func(c lab) float64 { return c.a }), median(func(c lab) float64 { return c.b })}
	near := 0
	for _, c := range edge {
		if distance(ground, c) <= sameColour {
			near++
		}
	}
	return ground, float64(near) >= plainBorder*float64(len(edge))
}

func lightness(r *raster) (mean, deviation float64) {
	for _, c := range r.cells {
		mean += c.l
	}
	mean /= float64(len(r.cells))
	for _, c := range r.cells {
		deviation += (c.l - mean) * (c.l - mean)
	}
	return mean, math.Sqrt(deviation / float64(len(r.cells)))
}

func chroma(r *raster, subject []bool) float64 {
	var sum, n float64
	for i, c := range r.cells {
		if subject[i] {
			sum += math.Hypot(c.a, c.b)
			n++
		}
	}
	return sum / max(n, 1)
}

// dominant returns the words of up to three colours that cover a ninth of the
// subject or more, most first, and at least one.
func dominant(names []int) []string {
	count := make([]int, len(palette))
	total := 0
	for _, n := range names {
		if n >= 0 {
			count[n]++
			total++
		}
	}
	order := make([]int, len(palette))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(count[b], count[a]) })
	var words []string
	for _, n := range order[:3] {
		if len(words) == 0 || 9*count[n] >= total {
			words = append(words, palette[n].word)
		}
	}
	return words
}
