// Package figure draws the few kinds of figures that reports have, as SVG: text stands beside marks and never on them,
// series differ by marks and dashes as well as by colour, and colours follow the reader's light or dark theme.
package figure

import (
	"fmt"
	"math"
	"strings"
	"unicode"
)

// Colours are variables that the page, or the file's own style, sets for light and dark.
const (
	ink   = "var(--ink)"
	faint = "var(--faint)"
)

// Style sets the colours of a figure that stands by itself.
const Style = `:root{--ink:#1b1f24;--faint:#c9ced6;--paper:#ffffff;--s0:#1f5fa8;--s1:#a8481f;--s2:#2f7d4f;--s3:#7a3f98;--s4:#8a6d00;--s5:#b0305c}` +
	`@media (prefers-color-scheme:dark){:root{--ink:#e6e9ee;--faint:#454c57;--paper:#15181c;--s0:#7fb2ec;--s1:#eb9a72;--s2:#7fce9f;--s3:#c79be0;--s4:#d9bd58;--s5:#f08fb0}}`

const (
	size   = 13.0 // of text
	line   = 20.0 // from one line of text to the next
	perEm  = 0.60 // of a letter, generously: room is made by this
	wide   = 0.85 // of a wide letter
	margin = 12.0
)

// widthOf is the room that a text needs in whatever font the reader has: capitals are wider than small letters, letters
// of East Asia as wide as they are high.
func widthOf(text string) float64 {
	ems := 0.0
	for _, r := range text {
		switch {
		case r >= 0x1100:
			ems += 1.05
		case unicode.IsUpper(r), strings.ContainsRune("mw@%", r):
			ems += wide
		default:
			ems += perEm
		}
	}
	return size * ems
}

// Figure is an SVG under way.
type Figure struct {
	Width, Height float64
	shapes        []shape
	texts         []label
}

// Inline returns the figure for a page that sets the colours.
func (f *Figure) Inline() string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" role="img" font-family="system-ui, sans-serif">`+"\n%s</svg>", f.Width, f.Height, f.Width, f.svg())
}

// File returns the figure as a file by itself.
func (f *Figure) File() string {
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img" font-family="system-ui, sans-serif"><style>%s</style>`+
		`<rect width="100%%" height="100%%" fill="var(--paper)"/>`+"\n%s</svg>\n", f.Width, f.Height, f.Width, f.Height, Style, f.svg())
}

// scale maps values to places, with round ticks.
type scale struct {
	low, high, from, to float64
	step                float64
}

func newScale(low, high, from, to float64) scale {
	if !(high > low) {
		low, high = low-0.5, high+0.5
	}
	rough := (high - low) / 4
	unit := math.Pow(10, math.Floor(math.Log10(rough)))
	step := unit
	for _, k := range []float64{1, 2, 5, 10} {
		if k*unit >= rough {
			step = k * unit
			break
		}
	}
	return scale{math.Floor(low/step) * step, math.Ceil(high/step) * step, from, to, step}
}

func (s scale) at(v float64) float64 { return s.from + (v-s.low)/(s.high-s.low)*(s.to-s.from) }

func (s scale) ticks() (all []float64) {
	for k := 0; ; k++ {
		v := s.low + float64(k)*s.step
		if v > s.high+s.step/2 {
			return all
		}
		all = append(all, v)
	}
}

// label writes a tick with as many digits as the step has.
func (s scale) label(v float64) string {
	digits := max(0, -int(math.Floor(math.Log10(s.step)+1e-9)))
	text := fmt.Sprintf("%.*f", digits, v)
	if strings.Trim(text, "-0.") == "" {
		return strings.TrimPrefix(text, "-")
	}
	return text
}

// Row is one line of a dot plot: a value, with an interval around it.
type Row struct {
	Label      string
	Value      float64
	Low, High  float64 // equal: no interval
	Note       string  // to the right
	Emphasised bool
}

// Dots draws a row a thing: its label, its value with the interval, a note. Zero, where it is in sight, is a
// line.
func Dots(axis string, rows []Row) *Figure {
	left, right := 0.0, 0.0
	low, high := math.Inf(1), math.Inf(-1)
	for _, r := range rows {
		left, right = max(left, widthOf(r.Label)), max(right, widthOf(r.Note))
		low, high = min(low, r.Low, r.Value), max(high, r.High, r.Value)
	}
	x0 := margin + left + margin
	x1 := x0 + 360
	f := &Figure{Width: x1 + margin + right + margin, Height: margin + line*float64(len(rows)) + 2*line + margin}
	s := newScale(low, high, x0, x1)
	bottom := margin + line*float64(len(rows)) + 4
	for _, v := range s.ticks() {
		f.line(s.at(v), margin, s.at(v), bottom, 1, faint)
	}
	f.axis(s, bottom, axis)
	if s.low < 0 && s.high > 0 {
		f.line(s.at(0), margin, s.at(0), bottom, 1.5, ink)
	}
	for n, r := range rows {
		y := margin + line*(float64(n)+0.5)
		f.text(margin+left, y+size/3, "end", r.Label)
		if r.High > r.Low {
			f.line(s.at(r.Low), y, s.at(r.High), y, 2, "var(--s0)")
		}
		fill := "var(--paper)"
		if r.Emphasised {
			fill = "var(--s0)"
		}
		f.circle(s.at(r.Value), y, 4.5, paint{fill: fill, stroke: "var(--s0)", width: 2})
		if r.Note != "" {
			f.text(x1+margin, y+size/3, "start", r.Note)
		}
	}
	return f
}

// axis writes ticks below, leaving out those that would touch, and the axis's name.
func (f *Figure) axis(s scale, y float64, name string) {
	last := math.Inf(-1)
	for _, v := range s.ticks() {
		text := s.label(v)
		if x := s.at(v); x-widthOf(text)/2 > last {
			f.text(x, y+line*0.8, "middle", text)
			last = x + widthOf(text)/2 + 4
		}
	}
	middle := max((s.from+s.to)/2, margin+widthOf(name)/2) // a name may be longer than its axis
	f.text(middle, y+line*1.8, "middle", name)
	f.Width = max(f.Width, middle+widthOf(name)/2+margin)
}

// Series is one line of a chart.
type Series struct {
	Label string
	X, Y  []float64
}

var dashes = [marks][]float64{nil, {7, 4}, {2, 3}, {9, 3, 2, 3}, {4, 2}, {12, 4}}

// Lines draws series over a common axis, with a legend below that shows colour, dash and mark.
func Lines(xName, yName string, all []Series) *Figure {
	xl, xh, yl, yh := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range all {
		for k := range s.X {
			xl, xh, yl, yh = min(xl, s.X[k]), max(xh, s.X[k]), min(yl, s.Y[k]), max(yh, s.Y[k])
		}
	}
	const high = 240.0
	y := newScale(yl, yh, margin+2*line+high, margin+2*line)
	left := 0.0
	for _, v := range y.ticks() {
		left = max(left, widthOf(y.label(v)))
	}
	x0 := margin + left + 6
	x := newScale(xl, xh, x0, x0+520)
	f := &Figure{Width: x.to + margin + 24}
	f.text(margin, margin+size, "start", yName)
	bottom := y.from
	for _, v := range y.ticks() {
		f.line(x0, y.at(v), x.to, y.at(v), 1, faint)
		f.text(x0-6, y.at(v)+size/3, "end", y.label(v))
	}
	f.axis(x, bottom, xName)
	for n, s := range all {
		colour, dash := look(n)
		var points []point
		for k := range s.X {
			points = append(points, point{x.at(s.X[k]), y.at(s.Y[k])})
		}
		f.path(points, paint{stroke: colour, width: 2, dash: dash})
		for _, k := range marked(len(s.X)) {
			f.mark(n, x.at(s.X[k]), y.at(s.Y[k]), colour)
		}
	}
	at, row := margin, bottom+line*2.8
	for n, s := range all {
		need := 34 + widthOf(s.Label) + 22
		if at+need > f.Width && at > margin {
			at, row = margin, row+line
		}
		f.Width = max(f.Width, at+need)
		colour, dash := look(n)
		f.line(at, row-4, at+28, row-4, 2, colour, dash...)
		f.mark(n, at+14, row-4, colour)
		f.text(at+34, row, "start", s.Label)
		at += need
	}
	f.Height = row + margin
	return f
}

// marked are the points of a series that carry a mark: at most eight.
func marked(n int) (all []int) {
	step := max(1, (n+7)/8)
	for k := 0; k < n; k += step {
		all = append(all, k)
	}
	return all
}

// marks are how many kinds of marks there are: as many as colours and dashes.
const marks = 6

// look is the colour and the dash of the n-th series. Of six series each differs from the others in any one of colour,
// dash and mark; in every further six these are put together anew, so that of 36 no two are alike, in black and
// white either.
func look(n int) (colour string, dash []float64) {
	return fmt.Sprintf("var(--s%d)", n%marks), dashes[(n+2*(n/marks))%marks]
}

// mark draws the mark of the n-th series: full circle, square and triangle, then the same empty.
func (f *Figure) mark(n int, x, y float64, colour string) {
	p := paint{fill: colour, stroke: colour, width: 1.5}
	n += n / marks
	if n%marks >= marks/2 {
		p.fill = "var(--paper)"
	}
	switch n % (marks / 2) {
	case 0:
		f.circle(x, y, 4, p)
	case 1:
		f.rect(x-4, y-4, 8, 8, p)
	default:
		f.area([]point{{x, y - 5}, {x + 5, y + 4}, {x - 5, y + 4}}, p)
	}
}

// Heat draws a table of values as cells, darker for larger, with every value written in its cell.
func Heat(xName string, xs []string, yName string, ys []string, values [][]float64) *Figure {
	low, high := math.Inf(1), math.Inf(-1)
	for _, row := range values {
		for _, v := range row {
			if !math.IsNaN(v) {
				low, high = min(low, v), max(high, v)
			}
		}
	}
	left, cell := 0.0, 64.0
	for _, y := range ys {
		left = max(left, widthOf(y))
	}
	for _, x := range xs {
		cell = max(cell, widthOf(x)+12)
	}
	x0, y0 := margin+left+8, margin+line
	f := &Figure{Width: x0 + cell*float64(len(xs)) + margin, Height: y0 + 30*float64(len(ys)) + 2*line + margin}
	f.Width = max(f.Width, 2*margin+max(widthOf(yName), x0+widthOf(xName)))
	f.text(margin, margin+size-2, "start", yName)
	for j, y := range ys {
		f.text(x0-8, y0+30*float64(j)+15+size/3, "end", y)
		for i := range xs {
			v := values[j][i]
			shade := 0.0
			if high > low {
				shade = (v - low) / (high - low)
			}
			text := fmt.Sprintf("%.4f", v)
			if math.IsNaN(v) {
				shade, text = 0, "–"
			}
			f.rect(x0+cell*float64(i), y0+30*float64(j), cell-1, 29, paint{fill: "var(--s0)", opacity: 0.05 + 0.4*shade, stroke: faint, width: 1})
			f.text(x0+cell*(float64(i)+0.5), y0+30*float64(j)+15+size/3, "middle", text)
		}
	}
	bottom := y0 + 30*float64(len(ys))
	for i, x := range xs {
		f.text(x0+cell*(float64(i)+0.5), bottom+line*0.8, "middle", x)
	}
	f.text(x0, bottom+line*1.8, "start", xName)
	return f
}

// Cloud is one panel of a scatter plot.
type Cloud struct {
	Label  string
	Note   string
	Points [][2]float64
}

// Clouds draws panels of points side by side, three in a row.
func Clouds(all []Cloud) *Figure {
	const side, gap = 210.0, 16.0
	columns := min(3, len(all))
	wide := side
	for _, c := range all {
		wide = max(wide, widthOf(c.Label), widthOf(c.Note))
	}
	rows := (len(all) + columns - 1) / columns
	f := &Figure{Width: 2*margin + float64(columns)*(wide+gap), Height: 2*margin + float64(rows)*(side+2*line+gap)}
	for n, c := range all {
		x0, y0 := margin+float64(n%columns)*(wide+gap), margin+float64(n/columns)*(side+2*line+gap)
		f.text(x0, y0+size, "start", c.Label)
		f.text(x0, y0+size+line, "start", c.Note)
		y0 += 2*line + 2
		f.rect(x0, y0, side, side, paint{stroke: faint, width: 1})
		reach := 1e-9
		for _, p := range c.Points {
			reach = max(reach, math.Abs(p[0]), math.Abs(p[1]))
		}
		for _, p := range c.Points {
			f.circle(x0+side/2+p[0]/reach*(side/2-6), y0+side/2-p[1]/reach*(side/2-6), 1.8, paint{fill: "var(--s0)", opacity: 0.6})
		}
	}
	return f
}
