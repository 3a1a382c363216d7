// Package mllmrec recommends items from pictures, text and behaviour, after the paper
// MLLMRec (2025): a multimodal language model describes each item's picture and writes
// each user's preference in plain language, both become vectors, and a recommender
// trained on them ranks the whole catalogue. Models that read interactions alone can be
// trained and served in the same way.
//
// # From clicks to recommendations
//
// A data set is read by one of the packages below dataset, or put together by hand.
// [Import] filters it, splits it and makes a workspace, a folder that keeps everything
// made from it. [Build] trains a model there and makes what the model needs before that.
// [Open] answers.
//
//	ds, report, err := tables.Read(ctx, tables.Options{Interactions: "clicks.csv", Items: "catalogue.csv"})
//	_, err = mllmrec.Import(ctx, "shop.ws", ds, mllmrec.ImportOptions{Report: report})
//	built, err := mllmrec.Build(ctx, "shop.ws", mllmrec.BuildOptions{Options: map[string]string{"mllm": "offline"}})
//	rec, err := mllmrec.Open(ctx, "shop.ws")
//	defer rec.Close()
//	items, err := rec.ForUser(ctx, "u42", 10)                        // somebody known
//	items, err = rec.ForHistory(ctx, []string{"mug-07"}, 10)         // somebody never seen, no retraining
//	items, err = rec.ForText(ctx, "a warm light beside the bed", 10) // a sentence
//	items, err = rec.Similar(ctx, "mug-07", 10)                      // items like one
//
// All of them can be stopped at any moment, by their context or by a kill: the same call
// goes on where it was. A workspace of the command line is the same thing, so that one may
// build what the other opens. The examples are a guide, from the first table to the choice
// among runs.
//
// # What a recommendation says
//
// Each [Recommendation] carries reasons: items of the history that are tied to it, by a
// shared audience or by likeness, or words of the sentence. [Recommender.Run] says which
// run answers and whether it is leaky, which is to say made with test interactions in
// sight; such a run is no measure of quality.
//
// # Errors
//
// Errors that a user can mend, such as an unknown user or a torn file, are told from
// failures by their [Kind]. Every error of this package is an [Error], with a kind and
// mostly a hint on what to do next; [AsError] makes one of an importer's.
//
// # Compatibility
//
// This package, those below dataset and client follow semantic versioning once 1.0 is out: what
// compiles against a release compiles against later ones of the same major version, and
// a workspace made by a release is read, or upgraded when it is opened, by all later ones.
// Until then a minor version may change both, and CHANGELOG.md says how. Results are
// bit-identical for a seed and an input on one kind of machine, whatever the number of
// processors; across versions they may differ. Everything below internal is no promise.
package mllmrec
