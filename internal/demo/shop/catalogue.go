package shop

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
)

// category is a kind of product.
type category int

var categories = []struct {
	id, noun string   // for ids and titles
	path     []string // as the shop files it, general to special
	stuff    []string // what it may be made of
	draw     func(*canvas, look)
}{
	{"mug", "Mug", []string{"Home & Living", "Kitchen", "Mugs"}, []string{"stoneware", "porcelain", "enamelled steel"}, drawMug},
	{"teapot", "Teapot", []string{"Home & Living", "Kitchen", "Teapots"}, []string{"stoneware", "porcelain", "cast iron"}, drawTeapot},
	{"lamp", "Lamp", []string{"Home & Living", "Lighting", "Table Lamps"}, []string{"linen and ash", "spun metal", "opal glass"}, drawLamp},
	{"chair", "Seat", []string{"Home & Living", "Furniture", "Seating"}, []string{"wool and beech", "felt and oak", "cotton and birch"}, drawChair},
	{"cushion", "Cushion", []string{"Home & Living", "Textiles", "Cushions"}, []string{"linen", "velvet", "cotton"}, drawCushion},
	{"vase", "Vase", []string{"Home & Living", "Decoration", "Vases"}, []string{"blown glass", "earthenware", "porcelain"}, drawVase},
	{"planter", "Plant Pot", []string{"Home & Living", "Garden", "Plant Pots"}, []string{"terracotta", "concrete", "glazed clay"}, drawPlanter},
	{"clock", "Clock", []string{"Home & Living", "Decoration", "Clocks"}, []string{"painted metal", "birch plywood", "recycled plastic"}, drawClock},
	{"backpack", "Backpack", []string{"Fashion", "Bags", "Backpacks"}, []string{"waxed canvas", "recycled nylon", "cotton twill"}, drawBackpack},
	{"sneaker", "Sneakers", []string{"Fashion", "Shoes", "Sneakers"}, []string{"canvas", "suede", "knitted mesh"}, drawSneaker},
	{"shirt", "T-Shirt", []string{"Fashion", "Clothing", "T-Shirts"}, []string{"organic cotton", "hemp jersey", "merino"}, drawShirt},
	{"umbrella", "Umbrella", []string{"Fashion", "Accessories", "Umbrellas"}, []string{"recycled polyester", "waxed cotton", "pongee"}, drawUmbrella},
}

// shapes is how many designs each category has.
const shapes = 3

// style is what a product's words are about; it leans towards some looks.
type style int

var styles = []struct {
	name     string
	says     []string // one of these stands in the description
	patterns [patterns]float64
	colours  []colour // twice as likely as others
}{
	{"minimal", []string{"Clean lines and nothing too much.", "Pared back, quiet and easy to live with.", "A calm, understated design.", "Simple geometry for tidy rooms and tidy minds."},
		[patterns]float64{6, 2, 1, 1}, []colour{5, 7, 11}},
	{"vintage", []string{"A nostalgic piece after a pattern book of the fifties.", "Old-school charm with a retro touch.", "Looks like a flea market find, works like new.", "A classic brought back from the archive."},
		[patterns]float64{2, 3, 2, 4}, []colour{2, 4, 10}},
	{"playful", []string{"Cheerful, a little quirky and made to be noticed.", "Good mood guaranteed.", "A fun companion for children and grown-ups.", "Lively and bold, never boring."},
		[patterns]float64{2, 3, 5, 2}, []colour{0, 1, 9}},
	{"rustic", []string{"Made by hand in small batches; every piece differs a little.", "Earthy, honest and built to age well.", "Inspired by farmhouses and long weekends outdoors.", "Sturdy country craft with natural character."},
		[patterns]float64{4, 2, 1, 4}, []colour{3, 6, 10}},
}

// brands lean towards one style each.
var brands = []struct {
	name  string
	style style
}{
	{"Nordlys", 0}, {"Plainfield", 0}, {"Studio Ore", 0}, {"Maison Calder", 1}, {"Juniper & Sons", 1}, {"Bellflower", 1},
	{"Pomelo", 2}, {"Wobble", 2}, {"Kite Club", 2}, {"Hearth & Hollow", 3}, {"Oakmoss", 3}, {"Fieldgate", 3},
}

var patternWords = [patterns][]string{
	{"in one solid tone", "unpatterned"}, {"with stripes", "striped"}, {"with polka dots", "dotted"}, {"with a check pattern", "chequered"},
}

var series = strings.Fields(`Alba Fjord Luma Tarn Vela Noor Sonja Ember Pico Marlo Isla Otto Juno Rune Calla Bruno Fennel Hugo Linden Mira
	Odette Pepper Quill Rosa Soren Tilda Una Viggo Willa Xenia Yara Zeno Ansel Birdie Cleo Dov Elke Fritz Greta Hanne`)

// Item counts of the shop.
const (
	perCategory = 30
	// Items is the number of products.
	Items = 12 * perCategory
)

// How often words give a product's looks away. Everybody sees the picture.
const (
	colourTold  = 0.4
	patternTold = 0.5
)

// product is one item with the traits that tastes are about.
type product struct {
	category category
	style    style
	brand    int
	look     look
	appeal   float64 // popularity with everybody, logarithmic
	item     dataset.Item
	backdrop rgb

	colourInWords, patternInWords bool
}

// makeProducts draws up the catalogue, without pictures.
func makeProducts(seed uint64) []product {
	rng := rand.New(rand.NewPCG(seed, 1))
	all := make([]product, 0, Items)
	for k := range categories {
		for n := range perCategory {
			p := product{category: category(k), style: style(rng.IntN(len(styles)))}
			p.brand = pickBrand(rng, p.style)
			p.look = pickLook(rng, p.style)
			p.appeal = 0.5 * rng.NormFloat64()
			p.backdrop = backdrops[rng.IntN(len(backdrops))]
			p.colourInWords = rng.Float64() < colourTold
			p.patternInWords = rng.Float64() < patternTold
			p.item = describe(rng, p, n)
			all = append(all, p)
		}
	}
	return all
}

// pickBrand takes a brand of the style four times in five.
func pickBrand(rng *rand.Rand, s style) int {
	weights := make([]float64, len(brands))
	for i, b := range brands {
		weights[i] = 1
		if b.style == s {
			weights[i] = 12
		}
	}
	return pick(rng, weights)
}

func pickLook(rng *rand.Rand, s style) look {
	weights := make([]float64, len(colours))
	for i := range weights {
		weights[i] = 1
	}
	for _, c := range styles[s].colours {
		weights[c] = 2
	}
	l := look{colour: colour(pick(rng, weights)), pattern: pattern(pick(rng, styles[s].patterns[:])), shape: rng.IntN(shapes)}
	l.scale = 0.85 + 0.4*rng.Float64()
	if l.pattern == patternStripes {
		l.turn = []float64{0, 0, 1.5708, 0.7854}[rng.IntN(4)]
	} else {
		l.turn = 0.15 * (rng.Float64() - 0.5)
	}
	return l
}

// pick draws an index with probability proportional to its weight.
func pick(rng *rand.Rand, weights []float64) int {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	x := rng.Float64() * total
	for i, w := range weights {
		if x -= w; x < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// prices are what a plain product of each category costs. Shoppers do not look at them.
var prices = map[string]float64{"mug": 14, "teapot": 39, "lamp": 69, "chair": 149, "cushion": 29, "vase": 34, "planter": 24, "clock": 44,
	"backpack": 79, "sneaker": 89, "shirt": 27, "umbrella": 32}

// price spreads a category's products between 0.7 and 1.3 of its price.
func price(category string, n int) float64 {
	return math.Round(prices[category]*(0.7+0.05*float64(n*7%13))) - 0.1
}

// describe writes what the shop says of a product. Category, brand and material are
// always in the words, the style by its ways of speaking, colour and pattern only
// where the product says so.
func describe(rng *rand.Rand, p product, n int) dataset.Item {
	k := categories[p.category]
	id := fmt.Sprintf("%s-%02d", k.id, n+1)
	title := fmt.Sprintf("%s %s", series[(n*7+int(p.category)*13)%len(series)], k.noun)
	if p.colourInWords {
		title += ", " + colours[p.look.colour].name
	}
	stuff := k.stuff[rng.IntN(len(k.stuff))]
	sentences := []string{
		fmt.Sprintf([]string{"%s by %s, made of %s.", "A %[1]s from the workshop of %s, in %s.", "%s, %s; %s."}[rng.IntN(3)], strings.ToLower(k.noun), brands[p.brand].name, stuff),
		styles[p.style].says[rng.IntN(len(styles[p.style].says))],
	}
	if p.patternInWords {
		words := patternWords[p.look.pattern]
		sentences = append(sentences, "It comes "+words[rng.IntN(len(words))]+".")
	}
	if rng.IntN(3) == 0 {
		sentences = append(sentences, []string{"Ships within two days.", "A gift that always fits.", "Free returns.", "Packed without plastic."}[rng.IntN(4)])
	}
	text := strings.Join(sentences, " ")
	return dataset.Item{
		ID: id, Title: title, Brand: brands[p.brand].name, Categories: append([]string(nil), k.path...),
		Description: strings.ToUpper(text[:1]) + text[1:], Image: id + ".png", Price: price(k.id, n),
	}
}
