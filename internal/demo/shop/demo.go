// Package shop is a built-in shop to try everything on: 360 products with drawn
// pictures and short texts, and 2,500 simulated shoppers. It is made by code at run
// time; the same seed gives the same bytes.
//
// # What the words tell and what only the picture shows
//
// A product has a category, brand, material, style (minimal, vintage, playful,
// rustic), colour, pattern (plain, stripes, dots, checks) and shape. The texts always
// name category, brand and material, and speak of the style in one of several
// sentences without naming it. They name the colour of two products in five and the
// pattern of every other; for the rest the picture alone shows them. Styles lean
// towards certain patterns and colours, and brands towards a style, so words and looks
// agree in part.
//
// # How the shoppers choose
//
// A shopper likes two colours, one pattern, one style, one brand and three categories,
// drawn at random. Their utility of a product is a random utility model (McFadden's
// conditional logit):
//
//	2.4·colour + 1.2·pattern + 1.9·category + 1.2·style + 1.0·brand + 1.0·appeal + Gumbel noise
//
// where pattern, category, style and brand are 1 when they are the shopper's; colour
// is 1 for the favourite, 2/3 for the second, 1/2 for neighbours of the favourite, else
// 0; and appeal, normally distributed with standard deviation 0.5, is a product's
// popularity with everybody. A shopper buys the 5 to 20 products of highest utility, in
// an order and at times that have nothing to do with taste.
//
// So there is something for every method to find: popularity finds the appeal,
// collaborative filtering the shoppers' likeness, texts the categories, styles and
// brands, pictures the colours and patterns. Nothing else links a shopper's purchases:
// no sequence, no trend, no hidden identifiers; and the noise bounds what anybody can
// reach. Real shoppers are harder.
package shop

import (
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// Seed is the seed of the demo that documents and tests speak of.
const Seed = 1

// Shop makes the shop: a data set that is not yet split, its items' Image the name of
// a file (mug-01.png), and the pictures (160×160 PNG) by item id.
func Shop(seed uint64) (*dataset.Dataset, map[string][]byte) {
	products := makeProducts(seed)
	ds, _ := open(seed, products)
	return ds, pictures(products)
}

// open returns the shop's data set, and by itself what was bought in it.
func open(seed uint64, products []product) (*dataset.Dataset, []dataset.Interaction) {
	_, users, bought := makeShoppers(seed, products)
	ds := &dataset.Dataset{Name: "demo", Domain: "home and fashion products", Clock: dataset.ClockMoment, UserIDs: users}
	for _, p := range products {
		ds.Items = append(ds.Items, p.item)
	}
	ds.SetInteractions(bought)
	return ds, bought
}

func pictures(products []product) map[string][]byte {
	drawn := make([][]byte, len(products))
	tensor.Parallel(len(products), 8, func(lo, hi int) {
		for i := lo; i < hi; i++ {
			drawn[i] = picture(products[i].category, products[i].look, products[i].backdrop)
		}
	})
	images := make(map[string][]byte, len(products))
	for i, p := range products {
		images[p.item.ID] = drawn[i]
	}
	return images
}
