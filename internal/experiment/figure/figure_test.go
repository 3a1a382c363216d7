package figure

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"
)

var hostile = `<script>alert(1)</script> & "x"`

func several(t *testing.T) map[string]*Figure {
	t.Helper()
	var rows []Row
	var series []Series
	var clouds []Cloud
	for n := range 14 {
		v := float64(n) / 100
		label := fmt.Sprintf("a model of the name number %d", n)
		if n == 3 {
			label = hostile
		}
		rows = append(rows, Row{Label: label, Value: v, Low: v - 0.03, High: v + 0.02, Note: "12.5 s, 300 MB"})
		s := Series{Label: label}
		for k := range 30 {
			s.X, s.Y = append(s.X, float64(k)), append(s.Y, v*math.Sqrt(float64(k)))
		}
		series = append(series, s)
		clouds = append(clouds, Cloud{Label: label, Note: "uniformity −2.31", Points: [][2]float64{{1, 2}, {-3, 4}}})
	}
	return map[string]*Figure{
		"dots": Dots("difference in Recall@20", rows), "one dot": Dots("x", rows[:1]), "long axis": Dots("Recall@20 of a model whose name is longer than the whole of the axis that it stands below, by far", rows[:2]), "lines": Lines("epoch", "valid recall@20", series), "one line": Lines("epoch", "loss", series[:1]),
		"heat":   Heat("K′", []string{"5", "10", "15", "20"}, "threshold", []string{"0.4", "0.5"}, [][]float64{{0.1, 0.2, 0.3, 0.4}, {0.4, math.NaN(), 0.2, 0.1}}),
		"clouds": Clouds(clouds), "one cloud": Clouds(clouds[:1]),
	}
}

func TestNoTextStandsOnAnother(t *testing.T) {
	for name, f := range several(t) {
		for i, a := range f.texts {
			if a.x0 < -0.5 || a.y0 < -0.5 || a.x1 > f.Width+0.5 || a.y1 > f.Height+0.5 {
				t.Errorf("%s: text %d at %+v leaves the figure of %.0f×%.0f", name, i, a, f.Width, f.Height)
			}
			for j, b := range f.texts[:i] {
				if a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1-1 && b.y0 < a.y1-1 {
					t.Errorf("%s: texts %d and %d overlap: %+v, %+v", name, j, i, a, b)
				}
			}
		}
	}
}

func TestFiguresAreXMLAndTextIsText(t *testing.T) {
	for name, f := range several(t) {
		for _, text := range []string{f.Inline(), f.File()} {
			if strings.Contains(text, "<script") || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
				t.Errorf("%s holds what it should not: %s", name, text)
			}
			d := xml.NewDecoder(strings.NewReader(text))
			for {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
			}
		}
		if f.Inline() != several(t)[name].Inline() {
			t.Errorf("%s is drawn differently the second time", name)
		}
	}
}

// In black and white, and where dashes are short, only the marks tell series apart.
func TestMarksDifferWithinTheColours(t *testing.T) {
	seen := map[string]int{}
	for n := range marks {
		f := new(Figure)
		f.mark(n, 10, 10, "black")
		if k, ok := seen[f.body.String()]; ok {
			t.Errorf("series %d and %d have the same mark", k, n)
		}
		seen[f.body.String()] = n
	}
	if len(dashes) != marks {
		t.Errorf("%d dashes, %d marks", len(dashes), marks)
	}
}

func TestTicksAreRound(t *testing.T) {
	s := newScale(0.013, 0.071, 0, 100)
	if got := s.label(s.ticks()[1]); got != "0.02" && got != "0.04" {
		t.Errorf("ticks %v, the second is %q", s.ticks(), got)
	}
	if s.low > 0.013 || s.high < 0.071 {
		t.Errorf("%+v", s)
	}
}
