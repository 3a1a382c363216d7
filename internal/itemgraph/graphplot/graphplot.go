// Package graphplot draws the statistics of an item graph: the share of top-K edges
// below each similarity (the paper's Figure 1b) with the threshold, the distribution of
// those similarities, and the degrees.
package graphplot

import (
	"fmt"
	"image/color"
	"io"
	"path/filepath"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/itemgraph"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const (
	width  = 27 * vg.Centimeter
	height = 9 * vg.Centimeter
)

var (
	ink   = color.RGBA{R: 0x1f, G: 0x4e, B: 0x79, A: 0xff}
	fill  = color.RGBA{R: 0x9c, G: 0xc3, B: 0xe0, A: 0xff}
	alert = color.RGBA{R: 0xc0, G: 0x39, B: 0x2b, A: 0xff}
)

// Save draws the statistics to a file, atomically; its extension, .svg or .png, says
// how.
func Save(path string, s itemgraph.Stats) error {
	ext := strings.ToLower(filepath.Ext(path))
	if ext != ".svg" && ext != ".png" {
		return usererr.New("Name the file .svg or .png.", "plot item graph: cannot draw to %q", path)
	}
	err := atomicfile.Write(path, func(w io.Writer) error { return Write(w, ext[1:], s) })
	if err != nil {
		return fmt.Errorf("plot item graph: %w", err)
	}
	return nil
}

// Write draws the statistics as "svg" or "png".
func Write(w io.Writer, format string, s itemgraph.Stats) error {
	plots, err := panels(s)
	if err != nil {
		return fmt.Errorf("plot item graph: %w", err)
	}
	var canvas interface {
		vg.CanvasSizer
		io.WriterTo
	}
	switch format {
	case "svg":
		canvas = vgsvg.New(width, height)
	case "png":
		canvas = vgimg.PngCanvas{Canvas: vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(120))}
	default:
		return usererr.New("Use svg or png.", "plot item graph: unknown format %q", format)
	}
	tiles := draw.Tiles{Rows: 1, Cols: len(plots), PadX: vg.Centimeter, PadTop: 3 * vg.Millimeter, PadBottom: 3 * vg.Millimeter, PadLeft: 3 * vg.Millimeter, PadRight: 5 * vg.Millimeter}
	row := [][]*plot.Plot{plots}
	for c, at := range plot.Align(row, tiles, draw.New(canvas))[0] {
		plots[c].Draw(at)
	}
	if _, err := canvas.WriteTo(w); err != nil {
		return fmt.Errorf("plot item graph: %w", err)
	}
	return nil
}

func panels(s itemgraph.Stats) ([]*plot.Plot, error) {
	below, err := sharePanel(s)
	if err != nil {
		return nil, err
	}
	similarities, err := barPanel("Similarity of top neighbours", "cosine", "edges", s.Similarity.Histogram)
	if err != nil {
		return nil, err
	}
	if s.Options.Denoise {
		threshold(similarities, s.Similarity.Cut, top(s.Similarity.Histogram))
	}
	degree, err := barPanel("Neighbours in the refined graph", "degree", "items", s.Degree.Histogram)
	if err != nil {
		return nil, err
	}
	return []*plot.Plot{below, similarities, degree}, nil
}

func sharePanel(s itemgraph.Stats) (*plot.Plot, error) {
	title := fmt.Sprintf("Top-%d edges below a similarity", s.Options.K)
	if s.Leaky {
		title += " (leaky)"
	}
	p := panel(title, "cosine", "share of edges")
	line := make(plotter.XYs, len(s.Similarity.Below))
	for k, b := range s.Similarity.Below {
		line[k] = plotter.XY{X: b.Similarity, Y: b.Share}
	}
	if len(line) > 0 {
		l, err := plotter.NewLine(line)
		if err != nil {
			return nil, err
		}
		l.Color, l.Width = ink, vg.Points(2)
		p.Add(l)
	}
	p.X.Min, p.X.Max, p.Y.Min, p.Y.Max = 0, 1, 0, 1
	if s.Options.Denoise {
		threshold(p, s.Similarity.Cut, 1)
	}
	return p, nil
}

func panel(title, x, y string) *plot.Plot {
	p := plot.New()
	p.Title.Text, p.X.Label.Text, p.Y.Label.Text = title, x, y
	p.Title.TextStyle.Font.Size, p.Title.Padding = vg.Points(11), vg.Points(6)
	grid := plotter.NewGrid()
	grid.Vertical.Color, grid.Horizontal.Color = color.Gray{Y: 0xe4}, color.Gray{Y: 0xe4}
	p.Add(grid)
	return p
}

// threshold draws the line at θ, up to height y.
func threshold(p *plot.Plot, at, y float64) {
	l := &plotter.Line{XYs: plotter.XYs{{X: at, Y: 0}, {X: at, Y: y}}, LineStyle: draw.LineStyle{Color: alert, Width: vg.Points(1.2), Dashes: []vg.Length{vg.Points(4), vg.Points(3)}}}
	p.Add(l)
	p.Legend.Add(fmt.Sprintf("threshold %.2g", at), l)
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.TextStyle.Font.Size = vg.Points(9)
}

// barPanel draws bins as they are, wide ones wide; a wide bin's height is its count per
// unit of the narrowest.
func barPanel(title, x, y string, bins []itemgraph.Bin) (*plot.Plot, error) {
	p := panel(title, x, y)
	narrow := narrowest(bins)
	for _, b := range bins {
		h := perUnit(b, narrow)
		bar, err := plotter.NewPolygon(plotter.XYs{{X: b.Low, Y: 0}, {X: b.Low, Y: h}, {X: b.High, Y: h}, {X: b.High, Y: 0}})
		if err != nil {
			return nil, err
		}
		bar.Color, bar.LineStyle = fill, draw.LineStyle{Color: ink, Width: vg.Points(0.6)}
		p.Add(bar)
	}
	p.Y.Min, p.Y.Max = 0, max(1.05*top(bins), 1)
	return p, nil
}

func narrowest(bins []itemgraph.Bin) float64 {
	n := 0.0
	for k, b := range bins {
		if w := b.High - b.Low; k == 0 || w < n {
			n = w
		}
	}
	return n
}

func perUnit(b itemgraph.Bin, narrow float64) float64 {
	return float64(b.Count) * narrow / (b.High - b.Low)
}

func top(bins []itemgraph.Bin) float64 {
	h, narrow := 0.0, narrowest(bins)
	for _, b := range bins {
		h = max(h, perUnit(b, narrow))
	}
	return h
}
