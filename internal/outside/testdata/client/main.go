// Command client is a program that uses the library from a module of its own: it imports tables
// whose columns have names of the shop's, builds two models without a model server, asks
// all that can be asked, and tells mistakes from failures.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"

	"github.com/mllmrec/mllmrec"
	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/tables"
)

const shop = "shop.ws"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		os.Exit(tell(err))
	}
}

// tell prints an error and returns the exit status: 2 where the user can mend it, else 1.
func tell(err error) int {
	e := mllmrec.AsError(err)
	switch e.Kind {
	case mllmrec.KindFailure:
		fmt.Println("failure:", e)
		return 1
	case mllmrec.KindNotReady:
		fmt.Printf("%s: first %s\n", e.Kind, e.Stage)
		return 2
	}
	var row dataset.RowError
	if errors.As(err, &row) {
		fmt.Println("bad row, line", row.Line)
		return 2
	}
	fmt.Printf("%s: %s (%s)\n", e.Kind, e, e.Hint)
	return 2
}

func run(ctx context.Context) error {
	if err := load(ctx); err != nil {
		return err
	}
	if _, err := mllmrec.Open(ctx, shop); err != nil {
		tell(err) // nothing is trained yet
	}
	clicks, err := mllmrec.Build(ctx, shop, mllmrec.BuildOptions{Model: "bpr", Settings: map[string]string{"epochs": "40"}})
	if err != nil {
		return err
	}
	stages := map[string]bool{}
	texts, err := mllmrec.Build(ctx, shop, mllmrec.BuildOptions{
		Options:  map[string]string{"mllm": "offline"},
		Progress: func(p mllmrec.Progress) { stages[p.Stage] = true },
	})
	if err != nil {
		return err
	}
	fmt.Printf("built %s and %s; the latter took %d stages\n", clicks.Model, texts.Model, len(stages))
	if err := ask(ctx, texts.Run); err != nil {
		return err
	}
	return mistakes(ctx, clicks.Run)
}

func load(ctx context.Context) error {
	ds, report, err := tables.Read(ctx, tables.Options{
		Interactions: "clicks.csv", Columns: tables.Columns{User: "customer", Item: "sku", Time: "at"},
		Items: "catalogue.csv", ItemColumns: tables.ItemColumns{Item: "sku", Title: "name"},
		Domain: "housewares",
	})
	if err != nil {
		return err
	}
	imported, err := mllmrec.Import(ctx, shop, ds, mllmrec.ImportOptions{Report: report})
	if err != nil {
		return err
	}
	fmt.Printf("imported %d users, %d items, %d interactions\n", imported.Stats.Users, imported.Stats.Items, imported.Stats.Interactions)
	return nil
}

func ask(ctx context.Context, run string) error {
	rec, err := mllmrec.Open(ctx, shop, mllmrec.WithRun(run))
	if err != nil {
		return err
	}
	defer rec.Close()
	items, err := rec.ForUser(ctx, "c00", 2)
	if err != nil {
		return err
	}
	show("user", items)
	if items, err = rec.ForHistory(ctx, []string{"lamp-1", "lamp-4", "lamp-7"}, 2); err != nil {
		return err
	}
	show("history", items)
	if items, err = rec.ForText(ctx, "a waterproof shelter for campers", 2); err != nil {
		return err
	}
	show("sentence", items)
	return nil
}

func show(who string, items []mllmrec.Recommendation) {
	var kinds []string
	for _, it := range items {
		kind, _, _ := strings.Cut(it.Item, "-")
		kinds = append(kinds, kind)
	}
	fmt.Printf("%s: %s; %s\n", who, strings.Join(kinds, ", "), items[0].Because[0].Via)
}

func mistakes(ctx context.Context, run string) error {
	rec, err := mllmrec.Open(ctx, shop, mllmrec.WithRun(run))
	if err != nil {
		return err
	}
	defer rec.Close()
	_, err = rec.ForUser(ctx, "c99", 2)
	tell(err)
	_, err = rec.ForText(ctx, "a mug", 2)
	fmt.Println(mllmrec.KindOf(err))
	if err := os.WriteFile("torn.csv", []byte("customer,sku\nc00,mug-0\nc00\n"), 0o600); err != nil {
		return err
	}
	_, _, err = tables.Read(ctx, tables.Options{Interactions: "torn.csv", Columns: tables.Columns{User: "customer", Item: "sku"}})
	tell(err)
	tell(fmt.Errorf("write the list: %w", os.ErrPermission))
	return nil
}
