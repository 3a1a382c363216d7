package figure

// Bar is a bar of a histogram: how much there is from Low to High.
type Bar struct{ Low, High, Value float64 }

// Bars draws a histogram. The upright axis begins at 0, so that areas can be compared.
func Bars(xName, yName string, all []Bar) *Figure {
	low, high, top := all[0].Low, all[0].High, 0.0
	for _, b := range all {
		low, high, top = min(low, b.Low), max(high, b.High), max(top, b.Value)
	}
	const tall = 200.0
	y := newScale(0, top, margin+2*line+tall, margin+2*line)
	left := 0.0
	for _, v := range y.ticks() {
		left = max(left, widthOf(y.label(v)))
	}
	x0 := margin + left + 12
	x := newScale(low, high, x0, x0+480)
	f := &Figure{Width: max(x.to+margin+24, 2*margin+widthOf(yName))}
	f.text(margin, margin+size, "start", yName)
	for _, v := range y.ticks() {
		f.line(x0, y.at(v), x.to, y.at(v), 1, faint)
		f.text(x0-12, y.at(v)+size/3, "end", y.label(v))
	}
	for _, b := range all {
		f.rect(x.at(b.Low), y.at(b.Value), x.at(b.High)-x.at(b.Low), y.from-y.at(b.Value), paint{fill: "var(--s0)", opacity: 0.45, stroke: "var(--s0)", width: 1})
	}
	f.line(x0, y.from, x.to, y.from, 1.5, ink)
	f.axis(x, y.from+6, xName) // clear of the 0 beside it
	f.Height = y.from + 6 + 2*line + margin
	return f
}
