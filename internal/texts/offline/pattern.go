package offline

import "math"

const (
	edgeStep     = 9    // lightness or colour step between neighbouring cells that is an edge
	plainEdges   = 0.06 // below this part of cells on an edge, a subject is plain
	stripeAccord = 0.6  // coherence of the gradients from which they are stripes
	minDots      = 6
)

// pattern names the texture inside the subject: "plain", "striped", "dotted" or
// "patterned". Gradients in one common direction are stripes; many small compact spots of
// one colour are dots.
func pattern(r *raster, subject []bool, names []int) string {
	var xx, yy, xy float64
	edges, inside := 0, 0
	for y := 0; y+1 < r.h; y++ {
		for x := 0; x+1 < r.w; x++ {
			i := y*r.w + x
			if !subject[i] || !subject[i+1] || !subject[i+r.w] {
				continue // the outline is no texture
			}
			inside++
			gx, gy := step(r.cells[i], r.cells[i+1]), step(r.cells[i], r.cells[i+r.w])
			if math.Hypot(gx, gy) < edgeStep {
				continue
			}
			edges++
			xx, yy, xy = xx+gx*gx, yy+gy*gy, xy+gx*gy
		}
	}
	switch {
	case inside == 0 || float64(edges) < plainEdges*float64(inside):
		return "plain"
	case dots(r, names) >= minDots:
		return "dotted"
	case math.Hypot(xx-yy, 2*xy) >= stripeAccord*(xx+yy):
		return "striped"
	}
	return "patterned"
}

// step is the signed difference between neighbouring cells, in the channel that
// differs most.
func step(a, b lab) float64 {
	d := b.l - a.l
	for _, e := range []float64{b.a - a.a, b.b - a.b} {
		if math.Abs(e) > math.Abs(d) {
			d = e
		}
	}
	return d
}

// dots counts the small compact spots: connected cells of one colour name that cover
// at most a twentieth of the subject, about as wide as high, and fill their frame.
func dots(r *raster, names []int) int {
	total := 0
	for _, n := range names {
		if n >= 0 {
			total++
		}
	}
	seen := make([]bool, len(names))
	perColour := make([]int, len(palette))
	var stack []int
	for start, n := range names {
		if n < 0 || seen[start] {
			continue
		}
		cells, x0, x1, y0, y1 := 0, r.w, 0, r.h, 0
		stack = append(stack[:0], start)
		seen[start] = true
		for len(stack) > 0 {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			x, y := i%r.w, i/r.w
			cells++
			x0, x1, y0, y1 = min(x0, x), max(x1, x), min(y0, y), max(y1, y)
			visit := func(ok bool, j int) {
				if ok && !seen[j] && names[j] == n {
					seen[j] = true
					stack = append(stack, j)
				}
			}
			visit(x > 0, i-1)
			visit(x+1 < r.w, i+1)
			visit(y > 0, i-r.w)
			visit(y+1 < r.h, i+r.w)
		}
		w, h := x1-x0+1, y1-y0+1
		if cells >= 4 && 20*cells <= total && 2*w >= h && 2*h >= w && 10*cells >= 6*w*h {
			perColour[n]++
		}
	}
	most := 0
	for _, n := range perColour {
		most = max(most, n)
	}
	return most
}
