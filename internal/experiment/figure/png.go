package figure

import (
	"fmt"
	"image/color"
	"io"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/font/liberation"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/vgimg"
)

// dots is how many dots of a PNG one unit of a figure has: enough for print at half the size.
const dots = 2

// PNG writes the figure in its light colours. Letters that the built-in font lacks, such as Chinese ones, are boxes;
// the SVG has them.
func (f *Figure) PNG(w io.Writer) error {
	colours, err := light()
	if err != nil {
		return err
	}
	face := font.NewCache(liberation.Collection()).Lookup(font.Font{Typeface: "Liberation", Variant: "Sans"}, vg.Length(size))
	// One unit of a figure is one of vg's points; of these an inch has 72.
	c := vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(vg.Length(f.Width), vg.Length(f.Height)), vgimg.UseDPI(72*dots), vgimg.UseBackgroundColor(colours["paper"]))}
	at := func(p point) vg.Point { return vg.Point{X: vg.Length(p.x), Y: vg.Length(f.Height - p.y)} } // vg counts upwards
	for _, s := range f.shapes {
		var path vg.Path
		for k, p := range s.points {
			switch {
			case s.radius > 0:
				path.Move(at(point{p.x + s.radius, p.y}))
				path.Arc(at(p), vg.Length(s.radius), 0, 2*math.Pi)
			case k == 0:
				path.Move(at(p))
			default:
				path.Line(at(p))
			}
		}
		if s.closed || s.radius > 0 {
			path.Close()
		}
		fillAndStroke(c, path, s.paint, colours)
	}
	c.SetColor(colours["ink"])
	for _, l := range f.texts {
		p := at(l.at)
		p.X -= map[string]vg.Length{"start": 0, "middle": 0.5, "end": 1}[l.anchor] * face.Width(l.text)
		c.FillString(face, p, l.text)
	}
	if _, err := c.WriteTo(w); err != nil {
		return fmt.Errorf("draw a figure as PNG: %w", err)
	}
	return nil
}

func fillAndStroke(c vg.Canvas, path vg.Path, p paint, colours map[string]color.NRGBA) {
	if p.fill != "" {
		fill := colours[variable(p.fill)]
		if p.opacity > 0 {
			fill.A = uint8(math.Round(255 * p.opacity))
		}
		c.SetColor(fill)
		c.Fill(path)
	}
	if p.stroke != "" {
		var dash []vg.Length
		for _, d := range p.dash {
			dash = append(dash, vg.Length(d))
		}
		c.SetLineDash(dash, 0)
		c.SetLineWidth(vg.Length(p.width))
		c.SetColor(colours[variable(p.stroke)])
		c.Stroke(path)
	}
}

// variable is the name in var(--name).
func variable(colour string) string {
	return strings.TrimSuffix(strings.TrimPrefix(colour, "var(--"), ")")
}

// light reads the light colours from Style, so that both forms have the same.
func light() (map[string]color.NRGBA, error) {
	declared, _, _ := strings.Cut(strings.TrimPrefix(Style, ":root{"), "}")
	colours := map[string]color.NRGBA{}
	for _, d := range strings.Split(declared, ";") {
		name, value, _ := strings.Cut(strings.TrimPrefix(d, "--"), ":")
		v, err := strconv.ParseUint(strings.TrimPrefix(value, "#"), 16, 24)
		if err != nil {
			return nil, fmt.Errorf("colour %q of figures: %w", d, err)
		}
		colours[name] = color.NRGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 255}
	}
	return colours, nil
}
