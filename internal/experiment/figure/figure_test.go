package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image/color"
	"image/png"
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
		"heat": Heat("K′", []string{"5", "10", "15", "20"}, "threshold", []string{"0.4", "0.5"}, [][]float64{{0.1, 0.2, 0.3, 0.4}, {0.4, math.NaN(), 0.2, 0.1}}),
		"bars": Bars("cosine", "share of pairs, %", []Bar{{-0.1, 0, 0}, {0, 0.5, 12}, {0.5, 1, 88}}), "one bar": Bars("x", "a name that is far longer than the whole of the figure below it, which must make room for it by itself", []Bar{{0.95, 1, 100}}),
		"clouds": Clouds(clouds), "one cloud": Clouds(clouds[:1]),
	}
}

func TestNoTextStandsOnAnother(t *testing.T) {
	for name, f := range several(t) {
		for i, l := range f.texts {
			a := l.box()
			if a.x0 < -0.5 || a.y0 < -0.5 || a.x1 > f.Width+0.5 || a.y1 > f.Height+0.5 {
				t.Errorf("%s: text %d at %+v leaves the figure of %.0f×%.0f", name, i, a, f.Width, f.Height)
			}
			for j, other := range f.texts[:i] {
				b := other.box()
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

// Of six series each has a mark and a dash of its own, and of 36 no two have both in common, whatever the colours.
func TestSeriesDifferInBlackAndWhite(t *testing.T) {
	for _, count := range []int{marks, marks * marks} {
		seen := map[string]int{}
		for n := range count {
			f := new(Figure)
			f.mark(n, 10, 10, "black")
			_, dash := look(n)
			for _, own := range map[int][]string{marks: {f.svg(), fmt.Sprint("dash ", dash)}, marks * marks: {f.svg() + fmt.Sprint(dash)}}[count] {
				if k, ok := seen[own]; ok {
					t.Errorf("series %d and %d look alike: %s", k, n, own)
				}
				seen[own] = n
			}
		}
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

// The PNG is the same figure: as large, on the light ground, with dots where the shapes are and nothing on its edge. It
// is the same every time.
func TestPNGIsTheSameFigure(t *testing.T) {
	colours, err := light()
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range several(t) {
		var out, again bytes.Buffer
		if err := errors.Join(f.PNG(&out), f.PNG(&again)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(out.Bytes(), again.Bytes()) {
			t.Errorf("%s differs the second time", name)
		}
		picture, err := png.Decode(&out)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b := picture.Bounds()
		if math.Abs(float64(b.Dx())-dots*f.Width) > 1 || math.Abs(float64(b.Dy())-dots*f.Height) > 1 {
			t.Errorf("%s: %v, want %d times %.0f×%.0f", name, b, dots, f.Width, f.Height)
		}
		at := func(x, y float64) color.NRGBA {
			return color.NRGBAModel.Convert(picture.At(int(dots*x), int(dots*y))).(color.NRGBA)
		}
		for x := 0.0; x < f.Width-1; x++ {
			if at(x, 1) != colours["paper"] || at(x, f.Height-2) != colours["paper"] {
				t.Fatalf("%s: something stands on the edge at %.0f", name, x)
			}
		}
		for n, s := range f.shapes {
			if s.radius < 4 || strings.Contains(name, "lines") { // large enough to have a middle, under no other shape
				continue
			}
			if got, want := at(s.points[0].x, s.points[0].y), colours[variable(s.paint.fill)]; got != want {
				t.Errorf("%s: shape %d is %v in its middle, want %v", name, n, got, want)
			}
		}
		for n, l := range f.texts {
			if box := l.box(); l.text != "" && !hasInk(at, box, colours["paper"]) {
				t.Errorf("%s: no dot of text %d, %q, in its place %+v", name, n, l.text, box)
			}
		}
	}
}

func hasInk(at func(x, y float64) color.NRGBA, b box, paper color.NRGBA) bool {
	dark := 0
	for y := b.y0; y < b.y1; y += 0.5 {
		for x := b.x0; x < b.x1; x += 0.5 {
			if c := at(x, y); int(c.R)+int(c.G)+int(c.B) < 3*0x60 {
				dark++
			}
		}
	}
	return dark > 0 && paper.R > 0x60
}

// What no reader's font may be wider than: letters of East Asia, capitals.
func TestRoomIsMadeForWideLetters(t *testing.T) {
	if cjk := widthOf("商品推荐"); cjk < 4*size {
		t.Errorf("four letters as wide as they are high get %.0f, less than %.0f", cjk, 4*size)
	}
	if widthOf("MMMM") <= widthOf("iiii") {
		t.Error("capitals get no more room than small letters")
	}
}
