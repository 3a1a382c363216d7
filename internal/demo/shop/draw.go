package shop

import "math"

// Neutral colours that most products share.
var (
	wood  = hex(0xb98a5a)
	steel = hex(0x9aa0a6)
	ink   = hex(0x2b2b30)
	ivory = hex(0xf6f1e4)
	leaf  = hex(0x4f8f4a)
)

// backdrops are the studio's papers; a shop photographs on few.
var backdrops = []rgb{hex(0xf7f5f0), hex(0xf1eee6), hex(0xeef2f4), hex(0xf6eeee), hex(0xeff4ee), hex(0xf4f1f7)}

// picture draws a product of category k.
func picture(k category, l look, backdrop rgb) []byte {
	c := newCanvas()
	c.backdrop(lit(backdrop, 1.3), lit(backdrop, 0.95))
	categories[k].draw(c, l)
	return c.png()
}

func drawMug(c *canvas, l look) {
	x0, y0, x1, y1, r := 42.0, 46.0, 104.0, 122.0, 8.0
	switch l.shape {
	case 1: // tall
		y0, x0, x1 = 34, 46, 98
	case 2: // a wide cup
		x0, y0, x1, y1, r = 34, 62, 106, 120, 26
	}
	c.shadow((x0+x1)/2+6, y1, 54, 9)
	mid := (y0 + y1) / 2
	c.fill(stroke(9, arc(x1-3, mid, 23, (y1-y0)*0.28, -math.Pi/2, math.Pi/2)...), plain(l.dark()))
	c.fill(rounded(x0, y0-r, x1, y1, r), l.body(x0, x1))
	c.fill(ellipse((x0+x1)/2, y0-r+3, (x1-x0)/2, 8), plain(lit(l.base(), 1.15)))
	c.fill(ellipse((x0+x1)/2, y0-r+4, (x1-x0)/2-4, 5.5), plain(hex(0x4a2f22)))
}

func drawLamp(c *canvas, l look) {
	c.shadow(80, 137, 40, 7)
	switch l.shape {
	case 0: // a table lamp
		c.fill(line(6, 80, 84, 80, 130), plain(wood))
		c.fill(rounded(56, 127, 104, 136, 4), plain(lit(wood, 0.85)))
		c.fill(poly(58, 30, 102, 30, 124, 92, 36, 92), l.body(36, 124))
	case 1: // a dome on a bent arm
		c.fill(stroke(5, curve(56, 132, 48, 80, 64, 36, 92, 40)...), plain(steel))
		c.fill(rounded(36, 127, 84, 136, 4), plain(lit(steel, 0.8)))
		dome := arc(98, 84, 40, 46, math.Pi, 2*math.Pi)
		c.fill(ellipse(98, 84, 30, 5), plain(hex(0xfff2b8)))
		c.fill(shape{clockwise(dome)}, l.body(58, 138))
	default: // a mushroom
		c.fill(poly(66, 80, 94, 80, 102, 134, 58, 134), plain(lit(l.base(), 1.25)))
		c.fill(ellipse(80, 66, 50, 32), l.body(30, 130))
		c.fill(rounded(54, 130, 106, 137, 3), plain(l.dark()))
	}
}

func drawChair(c *canvas, l look) {
	c.shadow(80, 142, 46, 7)
	legs := join(line(5, 52, 96, 46, 140), line(5, 108, 96, 114, 140), line(5, 66, 96, 64, 134), line(5, 94, 96, 96, 134))
	switch l.shape {
	case 0: // upholstered
		c.fill(legs, plain(wood))
		c.fill(rounded(46, 22, 114, 92, 16), l.body(46, 114))
		c.fill(rounded(40, 86, 120, 106, 9), plain(l.dark()))
	case 1: // an armchair
		c.fill(line(6, 50, 120, 48, 138), plain(wood))
		c.fill(line(6, 110, 120, 112, 138), plain(wood))
		c.fill(rounded(42, 34, 118, 100, 22), l.body(42, 118))
		c.fill(join(rounded(30, 70, 50, 126, 10), rounded(110, 70, 130, 126, 10)), plain(l.dark()))
		c.fill(rounded(46, 92, 114, 124, 8), l.body(46, 114))
	default: // a stool
		c.fill(join(line(5, 56, 66, 44, 140), line(5, 104, 66, 116, 140), line(4, 50, 106, 110, 106)), plain(wood))
		c.fill(rounded(38, 50, 122, 78, 12), l.body(38, 122))
	}
}

func drawBackpack(c *canvas, l look) {
	c.shadow(80, 139, 46, 8)
	c.fill(stroke(6, arc(80, 30, 13, 14, math.Pi, 2*math.Pi)...), plain(l.dark()))
	switch l.shape {
	case 0: // round-topped
		c.fill(smooth(44, 60, 56, 30, 80, 24, 104, 30, 116, 60, 120, 124, 108, 138, 52, 138, 40, 124), l.body(40, 120))
	case 1: // with a flap
		c.fill(rounded(42, 32, 118, 138, 14), l.body(42, 118))
		c.fill(rounded(38, 28, 122, 74, 16), plain(l.dark()))
		c.fill(join(line(6, 62, 70, 62, 88), line(6, 98, 70, 98, 88)), plain(wood))
	default: // a roll-top
		c.fill(rounded(44, 44, 116, 138, 10), l.body(44, 116))
		c.fill(rounded(40, 30, 120, 48, 8), plain(l.dark()))
	}
	if l.shape != 1 {
		c.fill(rounded(54, 92, 106, 130, 9), plain(l.dark()))
		c.fill(line(2.5, 60, 100, 100, 100), plain(ivory))
	}
	c.fill(join(line(7, 39, 74, 36, 126), line(7, 121, 74, 124, 126)), plain(lit(l.dark(), 0.85)))
}

func drawSneaker(c *canvas, l look) {
	c.shadow(82, 122, 62, 8)
	upper := []float64{26, 66, 48, 62, 62, 72, 84, 88, 122, 94, 136, 106, 133, 115, 24, 115, 20, 96}
	if l.shape == 1 { // high-top
		upper = []float64{32, 34, 62, 34, 68, 66, 88, 86, 122, 94, 136, 106, 133, 115, 24, 115, 24, 80}
	}
	c.fill(smooth(upper...), l.body(20, 140))
	sole, tip := ivory, lit(ivory, 0.97)
	if l.shape == 2 {
		sole, tip = hex(0xc9a06c), hex(0xd9b383) // gum
	}
	c.fill(smooth(116, 92, 131, 97, 140, 109, 136, 115, 114, 115), plain(tip))
	c.fill(rounded(18, 110, 144, 123, 6), plain(sole))
	c.fill(line(1.5, 22, 117, 140, 117), plain(lit(sole, 0.8)))
	for i := range 4 {
		x, y := 66+9*float64(i), 78+4.6*float64(i)
		c.fill(line(3, x-4, y+7, x+5, y-4), plain(ivory))
	}
	c.fill(line(5, 27, 70, 24, 100), plain(l.dark()))
}

func drawPlanter(c *canvas, l look) {
	c.shadow(80, 139, 42, 8)
	switch l.shape {
	case 0: // sword-shaped leaves
		for i, x := range []float64{-26, -14, 0, 13, 27} {
			top := 22 + 9*math.Abs(float64(i)-2)
			c.fill(smooth(80+x*0.5-5, 92, 80+x-6, 60, 80+x*1.15, top, 80+x+6, 60, 80+x*0.5+5, 92), plain(lit(leaf, 0.85+0.1*float64(i%3))))
		}
	case 1: // a cactus
		c.fill(join(stroke(24, point{80, 90}, point{80, 44}), stroke(11, curve(80, 74, 104, 70, 106, 50)...), stroke(11, curve(80, 80, 56, 76, 54, 60)...)), plain(leaf))
		for _, x := range []float64{73, 80, 87} {
			c.fill(line(1.2, x, 42, x, 88), plain(lit(leaf, 1.3)))
		}
	default: // round leaves
		for i, p := range []point{{58, 66}, {102, 66}, {68, 46}, {94, 44}, {80, 66}, {80, 30}} {
			c.fill(line(2, 80, 92, p.x, p.y), plain(lit(leaf, 0.7)))
			c.fill(ellipse(p.x, p.y, 14, 13), plain(lit(leaf, 0.88+0.07*float64(i%4))))
		}
	}
	c.fill(poly(44, 86, 116, 86, 106, 138, 54, 138), l.body(44, 116))
	c.fill(rounded(40, 80, 120, 93, 4), plain(l.dark()))
}

func drawClock(c *canvas, l look) {
	face := ellipse(80, 80, 38, 38)
	switch l.shape {
	case 0: // on the wall
		c.shadow(84, 86, 60, 58)
		c.fill(ellipse(80, 80, 55, 55), l.body(25, 135))
	case 1: // square
		c.shadow(84, 86, 64, 62)
		c.fill(rounded(26, 26, 134, 134, 16), l.body(26, 134))
	default: // an alarm clock
		c.shadow(80, 138, 44, 7)
		c.fill(join(line(7, 52, 118, 44, 136), line(7, 108, 118, 116, 136)), plain(steel))
		c.fill(join(ellipse(50, 36, 17, 14), ellipse(110, 36, 17, 14)), plain(l.dark()))
		c.fill(line(5, 80, 22, 80, 34), plain(steel))
		c.fill(ellipse(80, 84, 52, 52), l.body(28, 132))
		face = ellipse(80, 84, 37, 37)
	}
	cy := 80.0
	if l.shape > 1 {
		cy = 84
	}
	c.fill(face, plain(ivory))
	for i := range 12 {
		a := float64(i) * math.Pi / 6
		c.fill(ellipse(80+31*math.Cos(a), cy+31*math.Sin(a), 1.8, 1.8), plain(ink))
	}
	c.fill(join(line(3.5, 80, cy, 62, cy-10), line(2.5, 80, cy, 90, cy-27)), plain(ink))
	c.fill(ellipse(80, cy, 3.5, 3.5), plain(l.base()))
}

func drawShirt(c *canvas, l look) {
	c.shadow(80, 140, 42, 6)
	body := []float64{58, 26, 102, 26, 138, 52, 122, 76, 110, 66, 112, 138, 48, 138, 50, 66, 38, 76, 22, 52}
	if l.shape == 1 { // long sleeves
		body = []float64{58, 26, 102, 26, 126, 42, 144, 122, 126, 128, 110, 76, 112, 138, 48, 138, 50, 76, 34, 128, 16, 122, 34, 42}
	}
	c.fill(poly(body...), l.body(22, 138))
	if l.shape == 2 { // V-neck
		c.fill(poly(64, 26, 96, 26, 80, 54), plain(l.dark()))
		c.fill(poly(69, 26, 91, 26, 80, 46), plain(ivory))
	} else {
		c.fill(shape{clockwise(arc(80, 26, 20, 14, 0, math.Pi))}, plain(l.dark()))
		c.fill(shape{clockwise(arc(80, 26, 14, 9, 0, math.Pi))}, plain(ivory))
	}
	c.fill(join(line(1.6, 50, 66, 50, 134), line(1.6, 110, 66, 110, 134)), plain(l.dark()))
}

func drawVase(c *canvas, l look) {
	c.shadow(80, 140, 34, 7)
	if l.shape != 1 { // with a sprig
		c.fill(stroke(2.4, curve(80, 52, 78, 34, 70, 14)...), plain(lit(leaf, 0.8)))
		for i, p := range []point{{70, 14}, {64, 24}, {80, 26}, {70, 34}, {86, 38}} {
			c.fill(ellipse(p.x, p.y, 6, 4.5), plain(lit(hex(0xd9c27a), 0.9+0.05*float64(i))))
		}
	}
	switch l.shape {
	case 0: // bellied
		c.fill(smooth(70, 44, 90, 44, 90, 60, 114, 92, 104, 138, 56, 138, 46, 92, 70, 60), l.body(46, 114))
		c.fill(ellipse(80, 45, 12, 4), plain(l.dark()))
	case 1: // an amphora
		c.fill(join(stroke(6, curve(66, 36, 42, 48, 52, 78)...), stroke(6, curve(94, 36, 118, 48, 108, 78)...)), plain(l.dark()))
		c.fill(smooth(66, 26, 94, 26, 90, 50, 112, 80, 94, 138, 66, 138, 48, 80, 70, 50), l.body(48, 112))
		c.fill(rounded(60, 22, 100, 31, 4), plain(l.dark()))
	default: // a cylinder
		c.fill(rounded(56, 44, 104, 138, 7), l.body(56, 104))
		c.fill(ellipse(80, 46, 24, 6), plain(l.dark()))
	}
}

func drawCushion(c *canvas, l look) {
	c.shadow(82, 130, 58, 12)
	switch l.shape {
	case 0: // square, its sides drawn in
		c.fill(smooth(30, 30, 80, 34, 130, 30, 126, 80, 130, 130, 80, 126, 30, 130, 34, 80), l.body(26, 134))
	case 1: // round
		c.fill(ellipse(80, 80, 54, 52), l.body(26, 134))
		c.fill(ellipse(80, 80, 6, 6), plain(l.dark()))
	default: // long, with tassels
		c.fill(join(line(4, 16, 52, 26, 58), line(4, 16, 116, 26, 110), line(4, 144, 52, 134, 58), line(4, 144, 116, 134, 110)), plain(l.dark()))
		c.fill(rounded(20, 48, 140, 120, 20), l.body(20, 140))
	}
}

func drawUmbrella(c *canvas, l look) {
	if l.shape == 2 { // closed
		c.shadow(80, 146, 26, 5)
		c.fill(line(4, 80, 18, 80, 146), plain(steel))
		c.fill(poly(78, 24, 82, 24, 100, 112, 80, 120, 60, 112), l.body(60, 100))
		c.fill(join(line(2, 80, 26, 72, 116), line(2, 80, 26, 90, 115)), plain(l.dark()))
		c.fill(rounded(75, 112, 85, 124, 3), plain(l.dark()))
		c.fill(stroke(6, arc(88, 138, 8, 10, 0, math.Pi)...), plain(wood))
		return
	}
	c.shadow(80, 146, 40, 5)
	c.fill(line(4, 80, 24, 80, 132), plain(steel))
	c.fill(stroke(6, arc(90, 132, 10, 12, 0, math.Pi)...), plain(wood))
	height := 56.0
	if l.shape == 1 { // deep
		height = 70
	}
	top := arc(80, 88, 60, height, math.Pi, 2*math.Pi)
	for i := range 4 { // scallops, right to left
		x := 140 - 30*float64(i)
		top = append(top, arc(x-15, 88, 15, 9, 0, -math.Pi)...)
	}
	c.fill(shape{clockwise(top)}, l.body(20, 140))
	for _, x := range []float64{50, 80, 110} {
		c.fill(stroke(1.4, curve(80, 90-height, (x*1.6+80*0.4)/2, 62, x, 82)...), plain(l.dark()))
	}
}

func drawTeapot(c *canvas, l look) {
	c.shadow(80, 128, 52, 8)
	c.fill(stroke(9, curve(112, 78, 138, 74, 148, 48)...), plain(l.dark()))
	body := ellipse(76, 92, 46, 36)
	switch l.shape {
	case 0:
		c.fill(stroke(8, arc(36, 88, 20, 22, math.Pi/2, 3*math.Pi/2)...), plain(l.dark()))
	case 1: // handle on top
		c.fill(stroke(6, arc(76, 66, 40, 46, math.Pi, 2*math.Pi)...), plain(wood))
	default: // straight-sided
		c.fill(stroke(8, arc(38, 90, 22, 26, math.Pi/2, 3*math.Pi/2)...), plain(l.dark()))
		body = poly(42, 58, 110, 58, 120, 126, 32, 126)
	}
	c.fill(body, l.body(30, 122))
	c.fill(ellipse(76, 59, 26, 7), plain(l.dark()))
	c.fill(ellipse(76, 50, 7, 6), plain(l.base()))
}
