package mllmrec_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"

	"github.com/mllmrec/mllmrec"
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/tables"
)

// The examples read as a guide, in this order. Their shop sells mugs, lamps, sneakers and
// tents, ten of each; clicks.csv has the columns user, item and time, and catalogue.csv
// item, title, brand, categories and description.

// A workspace answers once it was filled, by Import and Build or by the command line.
func Example() {
	ctx := context.Background()
	rec, err := mllmrec.Open(ctx, "shop.ws")
	if err != nil {
		log.Fatal(err)
	}
	defer rec.Close()
	known, err := rec.ForUser(ctx, "u42", 3) // somebody known
	if err != nil {
		log.Fatal(err)
	}
	stranger, err := rec.ForHistory(ctx, []string{"mug-07"}, 3) // somebody never seen, no retraining
	if err != nil {
		log.Fatal(err)
	}
	asked, err := rec.ForText(ctx, "a warm light beside the bed", 3) // a sentence
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(known), len(stranger), asked[0].Because[0].Words)
	// Output: 3 3 warm light
}

// Data come from one of the importers below dataset, here from tables of one's own. The
// report goes into the workspace, as its source.
func ExampleImport() {
	ctx := context.Background()
	ds, report, err := tables.Read(ctx, tables.Options{Interactions: "clicks.csv", Items: "catalogue.csv", Domain: "housewares"})
	if err != nil {
		log.Fatal(err)
	}
	imported, err := mllmrec.Import(ctx, "shop.ws", ds, mllmrec.ImportOptions{Report: report})
	if err != nil {
		log.Fatal(err)
	}
	s := imported.Stats
	fmt.Printf("%d users, %d items\n", s.Users, s.Items)
	fmt.Printf("%d interactions: %d to train on, %d to validate, %d to test\n", s.Interactions, s.Train, s.Valid, s.Test)
	// Output:
	// 80 users, 40 items
	// 640 interactions: 480 to train on, 80 to validate, 80 to test
}

// A data set can also be put together by a program, from rows of users and items.
func ExampleImport_byHand() {
	ds := &dataset.Dataset{Name: "by hand", UserIDs: []string{"ann", "bob"}}
	for _, id := range []string{"mug", "lamp", "tent"} {
		ds.Items = append(ds.Items, dataset.Item{ID: id})
	}
	for user := range int32(2) {
		for item := range int32(3) {
			ds.Append(dataset.Interaction{User: user, Item: item})
		}
	}
	imported, err := mllmrec.Import(context.Background(), "hand.ws", ds, mllmrec.ImportOptions{Seed: 7})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(imported.Stats.Split, imported.Stats.Train, imported.Stats.Valid, imported.Stats.Test)
	// Output: random 2 2 2
}

// Build makes all that a model needs. Offline, no model server is asked: plain rules write
// the texts, and LSA, fitted on the catalogue, encodes them.
func ExampleBuild() {
	built, err := mllmrec.Build(context.Background(), "shop.ws", mllmrec.BuildOptions{
		Options: map[string]string{"mllm": "offline", "encoder": "lsa"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("model:", built.Model, "leaky:", built.Leaky)
	for _, b := range built.Baselines {
		fmt.Printf("better than %s: %t\n", b.Name, built.Test["recall@10"] > b.Test["recall@10"])
	}
	// Output:
	// model: hybrid leaky: false
	// better than popularity: true
	// better than random: true
	// better than untrained vectors: true
}

// A model that reads interactions alone needs no texts, and no model server: only its
// training and the evaluation are done.
func ExampleBuild_interactionsOnly() {
	built, err := mllmrec.Build(context.Background(), "clicks.ws", mllmrec.BuildOptions{Model: "bpr"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(built.Model, built.Test["recall@20"] > 0.5)
	fmt.Println("others:", strings.Join(mllmrec.Models(), ", "))
	// Output:
	// bpr true
	// others: add-ease, bm25, bm3, bpr, dualgnn, ease, freedom, grcn, gume, hybrid, itemknn, l3ae, lattice, lgmrec, lightgcn, mgcn, mllmrec, mmgcn, mmssl, pool, slmrec, smore, soil, spectral, text-kernel, transitions, vbpr
}

// Progress comes as work goes on: what is done, how far it is, how long it may take.
func ExampleProgress() {
	stage := ""
	_, err := mllmrec.Build(context.Background(), "clicks.ws", mllmrec.BuildOptions{
		Model: "bpr",
		Force: true, // else nothing would have to be done
		Progress: func(p mllmrec.Progress) {
			if p.Stage != stage {
				stage = p.Stage
				fmt.Println(stage)
			}
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// train
	// evaluate
}

// An open workspace answers from memory, for as many goroutines as wanted.
func ExampleOpen() {
	rec, err := mllmrec.Open(context.Background(), "shop.ws")
	if err != nil {
		log.Fatal(err)
	}
	defer rec.Close()
	item, err := rec.Item("lamp-01")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s answers %d users; lamp-01 is %q\n", rec.Run().Model, len(rec.Users()), item.Title)
	// Output: hybrid answers 80 users; lamp-01 is "Blue lamp"
}

func ExampleRecommender_ForUser() {
	ctx := context.Background()
	rec, err := mllmrec.Open(ctx, "shop.ws")
	if err != nil {
		log.Fatal(err)
	}
	defer rec.Close()
	history, err := rec.History("u02")
	if err != nil {
		log.Fatal(err)
	}
	items, err := rec.ForUser(ctx, "u02", 4)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("chose", len(history), "items to train on; four more:")
	for _, it := range items {
		fmt.Println(it.Title)
	}
	// Unordered output:
	// chose 6 items to train on; four more:
	// Blue sneaker
	// White sneaker
	// Grey dotted sneaker
	// Orange sneaker
}

// A history is what somebody chose who was not there at training, oldest first.
func ExampleRecommender_ForHistory() {
	ctx := context.Background()
	rec, err := mllmrec.Open(ctx, "shop.ws")
	if err != nil {
		log.Fatal(err)
	}
	defer rec.Close()
	items, err := rec.ForHistory(ctx, []string{"tent-01", "tent-04", "tent-07"}, 7)
	if err != nil {
		log.Fatal(err)
	}
	for _, it := range items {
		fmt.Println(it.Title)
	}
	// Unordered output:
	// Red striped tent
	// Green tent
	// Yellow tent
	// Black tent
	// Grey dotted tent
	// Violet tent
	// Brown tent
}

func ExampleRecommender_ForText() {
	ctx := context.Background()
	rec, err := mllmrec.Open(ctx, "shop.ws")
	if err != nil {
		log.Fatal(err)
	}
	defer rec.Close()
	items, err := rec.ForText(ctx, "something waterproof for two campers", 3)
	if err != nil {
		log.Fatal(err)
	}
	for _, it := range items {
		kind, _, _ := strings.Cut(it.Item, "-")
		fmt.Println(it.Rank, kind)
	}
	// Output:
	// 1 tent
	// 2 tent
	// 3 tent
}

// Several people at once are ranked in one matrix product. Each gets the list that they
// would get alone, to the last bit.
func ExampleRecommender_ForUsers() {
	ctx := context.Background()
	rec, err := mllmrec.Open(ctx, "shop.ws")
	if err != nil {
		log.Fatal(err)
	}
	defer rec.Close()
	users := rec.Users()
	lists, err := rec.ForUsers(ctx, users, 10)
	if err != nil {
		log.Fatal(err)
	}
	alone, err := rec.ForUser(ctx, users[7], 10)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(lists), "lists of", len(lists[7]), "items; the same alone:", lists[7][0].Score == alone[0].Score)
	// Output: 80 lists of 10 items; the same alone: true
}

func ExampleRecommender_Similar() {
	ctx := context.Background()
	rec, err := mllmrec.Open(ctx, "shop.ws")
	if err != nil {
		log.Fatal(err)
	}
	defer rec.Close()
	items, err := rec.Similar(ctx, "sneaker-05", 9)
	if err != nil {
		log.Fatal(err)
	}
	sneakers := 0
	for _, it := range items {
		if strings.HasPrefix(it.Item, "sneaker") {
			sneakers++
		}
	}
	fmt.Printf("%d of the %d nearest to sneaker-05 are sneakers\n", sneakers, len(items))
	// Output: 9 of the 9 nearest to sneaker-05 are sneakers
}

// Every recommendation says what carried it.
func ExampleReason() {
	ctx := context.Background()
	rec, err := mllmrec.Open(ctx, "shop.ws")
	if err != nil {
		log.Fatal(err)
	}
	defer rec.Close()
	said, err := rec.ForText(ctx, "coffee in my kitchen", 1)
	if err != nil {
		log.Fatal(err)
	}
	chosen, err := rec.ForHistory(ctx, []string{"tent-01"}, 1)
	if err != nil {
		log.Fatal(err)
	}
	for _, it := range append(said, chosen...) {
		kind, _, _ := strings.Cut(it.Item, "-")
		switch why := it.Because[0]; why.Via {
		case mllmrec.ViaWords:
			fmt.Printf("a %s: you said %s\n", kind, why.Words)
		case mllmrec.ViaAudience:
			fmt.Printf("a %s: %t that people chose it with the %s\n", kind, why.Weight > 0, why.Title)
		case mllmrec.ViaContent:
			fmt.Printf("a %s: it is like the %s\n", kind, why.Title)
		}
	}
	// Output:
	// a mug: you said coffee kitchen
	// a tent: true that people chose it with the Blue tent
}

// A mistake is the user's to mend, and the hint says how; a failure is the operator's.
func ExampleKindOf() {
	ctx := context.Background()
	rec, err := mllmrec.Open(ctx, "clicks.ws") // a run of bpr
	if err != nil {
		log.Fatal(err)
	}
	defer rec.Close()
	tell := func(err error) {
		switch e := mllmrec.AsError(err); e.Kind {
		case mllmrec.KindMistake, mllmrec.KindUnknown:
			fmt.Printf("%s: %s. %s\n", e.Kind, e, e.Hint)
		case mllmrec.KindStopped:
			fmt.Println("stopped:", errors.Is(err, context.Canceled))
		case mllmrec.KindNotReady:
			fmt.Println("first run:", e.Stage)
		default:
			log.Print("call the operator: ", e)
		}
	}
	_, err = rec.ForUser(ctx, "nobody", 3)
	tell(err)
	_, err = rec.ForHistory(ctx, []string{"mug-07"}, 0)
	tell(err)
	over, cancel := context.WithCancel(ctx)
	cancel()
	_, err = rec.ForUser(over, "u00", 3)
	tell(err)
	// Output:
	// unknown: unknown user "nobody". For somebody never seen, ask by a history of items or by a sentence.
	// mistake: k is 0; at least 1 item must be asked for. Ask for 10, for example.
	// stopped: true
}

// Runs stay beside each other. They are chosen by their validation metrics.
func ExampleRuns() {
	ctx := context.Background()
	runs, err := mllmrec.Runs(ctx, "shop.ws")
	if err != nil {
		log.Fatal(err)
	}
	best := runs[0]
	for _, run := range runs {
		if run.Valid["recall@20"] > best.Valid["recall@20"] {
			best = run
		}
	}
	rec, err := mllmrec.Open(ctx, "shop.ws", mllmrec.WithRun(best.ID))
	if err != nil {
		log.Fatal(err)
	}
	defer rec.Close()
	fmt.Println("the best of", len(runs), "answers:", rec.Run().ID == best.ID)
	// Output: the best of 3 answers: true
}
