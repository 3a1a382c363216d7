package figure

import (
	"fmt"
	"html"
	"strings"
)

// paint is how a shape is drawn. Colours are variables of Style or empty: not drawn.
type paint struct {
	fill, stroke string
	width        float64 // of the stroke
	opacity      float64 // of the fill; 0: full
	dash         []float64
}

type point struct{ x, y float64 }

// shape is a circle, where it has a radius, or a path through points.
type shape struct {
	points []point
	closed bool
	radius float64
	paint  paint
}

// label is a line of text; anchor is start, middle or end.
type label struct {
	at     point
	anchor string
	text   string
}

type box struct{ x0, y0, x1, y1 float64 }

// box is the room that is made for a label.
func (l label) box() box {
	w := widthOf(l.text)
	left := map[string]float64{"start": l.at.x, "middle": l.at.x - w/2, "end": l.at.x - w}[l.anchor]
	return box{left, l.at.y - size, left + w, l.at.y + 3}
}

func (f *Figure) text(x, y float64, anchor, text string) {
	f.texts = append(f.texts, label{point{x, y}, anchor, text})
}

func (f *Figure) line(x0, y0, x1, y1, width float64, colour string, dash ...float64) {
	f.shapes = append(f.shapes, shape{points: []point{{x0, y0}, {x1, y1}}, paint: paint{stroke: colour, width: width, dash: dash}})
}

func (f *Figure) circle(x, y, radius float64, p paint) {
	f.shapes = append(f.shapes, shape{points: []point{{x, y}}, radius: radius, paint: p})
}

func (f *Figure) rect(x, y, width, height float64, p paint) {
	f.area([]point{{x, y}, {x + width, y}, {x + width, y + height}, {x, y + height}}, p)
}

func (f *Figure) area(points []point, p paint) {
	f.shapes = append(f.shapes, shape{points: points, closed: true, paint: p})
}

func (f *Figure) path(points []point, p paint) {
	f.shapes = append(f.shapes, shape{points: points, paint: p})
}

// svg returns the elements: shapes below, text above.
func (f *Figure) svg() string {
	var b strings.Builder
	for _, s := range f.shapes {
		if s.radius > 0 {
			fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="%.1f"%s/>`+"\n", s.points[0].x, s.points[0].y, s.radius, s.paint.svg())
			continue
		}
		b.WriteString(`<path d="`)
		for k, p := range s.points {
			fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(k, 1)], p.x, p.y)
		}
		if s.closed {
			b.WriteString("Z")
		}
		fmt.Fprintf(&b, `"%s/>`+"\n", s.paint.svg())
	}
	for _, l := range f.texts {
		fmt.Fprintf(&b, `<text x="%.1f" y="%.1f" text-anchor="%s" font-size="%.0f" fill="%s">%s</text>`+"\n", l.at.x, l.at.y, l.anchor, size, ink, html.EscapeString(l.text))
	}
	return b.String()
}

func (p paint) svg() string {
	fill := "none"
	if p.fill != "" {
		fill = p.fill
	}
	text := fmt.Sprintf(` fill="%s"`, fill)
	if p.opacity > 0 {
		text += fmt.Sprintf(` fill-opacity="%.2f"`, p.opacity)
	}
	if p.stroke != "" {
		text += fmt.Sprintf(` stroke="%s" stroke-width="%.1f"`, p.stroke, p.width)
	}
	if len(p.dash) > 0 {
		text += fmt.Sprintf(` stroke-dasharray="%s"`, strings.Trim(fmt.Sprint(p.dash), "[]"))
	}
	return text
}
