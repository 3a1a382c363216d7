// Package mllmrec recommends items from pictures, text and behaviour, after the paper
// MLLMRec. This package is the library's face: open a workspace that 'mllmrec run' (or
// package pipeline) has filled, and ask it.
//
//	rec, err := mllmrec.Open(ctx, "shop.ws")
//	items, err := rec.ForUser(ctx, "u42", 10)                     // somebody known
//	items, err = rec.ForHistory(ctx, []string{"mug-7"}, 10)       // somebody never seen
//	items, err = rec.ForText(ctx, "striped mugs in warm red", 10) // a sentence
//
// The paper's equations, by package: docs/concepts.md.
package mllmrec
