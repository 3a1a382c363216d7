package offline

import "strings"

// aspect is what a word of a product text tells.
type aspect int

const (
	otherWord aspect = iota
	material
	colourWord
	patternWord
	filler // shop talk and the describer's words for layout and light, which say nothing about taste
)

// lexicon knows the English words of a few aspects. A word of another language is an
// otherWord: it is counted all the same, in the sentence of words that recur.
var lexicon = func() map[string]aspect {
	m := map[string]aspect{}
	for a, list := range map[aspect]string{
		material: `acrylic alpaca aluminium aluminum ash bamboo beech birch brass bronze burlap canvas cashmere cedar ceramic chrome
			clay concrete copper cork corduroy cotton crochet crystal denim down earthenware elastane enamel enamelled faux
			felt fleece foam fur glass gold granite hemp iron jersey jute knitted lace latex leather linen lycra mahogany marble
			merino mesh metal microfiber microfibre mohair muslin neoprene nylon oak oilcloth organza paper pearl pine plastic
			plush plywood polyester porcelain pongee pvc rattan recycled resin rubber satin seersucker sherpa silicone silk slate
			spandex stainless steel sterling stone stoneware straw suede terracotta titanium tulle tweed twill velour velvet vinyl
			viscose walnut wax waxed wicker wood wooden wool`,
		colourWord: `amber apricot aqua azure beige black blue blush bordeaux brown burgundy charcoal chocolate colourful coral cream
			crimson cyan ecru emerald fuchsia gold golden gray green grey indigo ivory khaki lavender lilac lime magenta maroon
			mauve mint mustard navy ochre olive orange peach petrol pink plum purple red rose rust salmon scarlet silver sky
			tan taupe teal turquoise violet white yellow multicolor multicolour rainbow pastel`,
		patternWord: `argyle camouflage checked checkered chequered dots dotted embroidered floral flowery geometric gingham
			herringbone leopard paisley plaid printed striped stripes tartan zebra`,
		filler: `background backdrop bottom brand bright brightness centre centred center centered colourless contrast dark fills free
			frame gift high image item items large landscape left light low medium middle muted new off pack packed
			patterned plain polka photo picture
			piece pieces portrait price product products quality returns right sale set sets shape ships shown shows size sizes
			small square subject tall top towards vivid wide wider`,
	} {
		for _, w := range strings.Fields(list) {
			if _, known := m[w]; !known || a != material { // gold is a colour first
				m[w] = a
			}
		}
	}
	return m
}()

// spelling makes one name of words for the same pattern or material.
var spelling = map[string]string{
	"stripe": "striped", "dot": "dotted", "checked": "chequered", "checkered": "chequered", "flowery": "floral",
	"aluminum": "aluminium", "enamel": "enamelled", "gray": "grey", "golden": "gold", "multicolor": "multicolour", "wooden": "wood",
	"microfiber": "microfibre",
}

// nameOf is the key under which a word is counted and known.
func nameOf(term string) string {
	term = stem(term)
	if s, ok := spelling[term]; ok {
		return s
	}
	return term
}

// stem makes one word of an English plural and its singular.
func stem(term string) string {
	if len(term) > 3 && !strings.HasSuffix(term, "ss") {
		return strings.TrimSuffix(term, "s")
	}
	return term
}
