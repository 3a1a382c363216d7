package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/mllm/mllmtest"
	"github.com/mllmrec/mllmrec/internal/texts/writer"
)

// titled imports three users with two items each, the last of which all share, into dir.
func titled(t *testing.T, dir string, titles ...string) string {
	t.Helper()
	const pixel = `"data:image/gif;base64,R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs="`
	inter, items := "user,item,time\n", "item,title,image\nvalid,Valid,\ntest,Test,\n"
	for i, title := range titles {
		inter += fmt.Sprintf("u%d,i%d,1\nu%d,shared,2\nu%d,valid,3\nu%d,test,4\n", i, i, i, i, i)
		items += fmt.Sprintf("i%d,%s,%s\n", i, title, pixel)
	}
	items += "shared,Shared,\n"
	return importTables(t, dir, inter, items)
}

// TestEstimateCountsWhatARunWouldAsk compares estimates with what runs then ask, where
// everything is answered, where a title has changed, and where an option has.
func TestEstimateCountsWhatARunWouldAsk(t *testing.T) {
	server := mllmtest.New(t, mllmtest.Options{})
	estimate := func(stage, ws string, flags ...string) (requests, answered int) {
		t.Helper()
		code, out, errs := call(t, append([]string{stage, ws, "--base-url", "http://127.0.0.1:1", "--estimate", "--json"}, flags...)...)
		var e struct{ Requests, Answered int }
		if err := json.Unmarshal([]byte(out), &e); code != exitOK || err != nil {
			t.Fatalf("exit %d, %v: %s", code, err, errs)
		}
		return e.Requests, e.Answered
	}
	step := func(what, stage, ws string, questions int, flags ...string) {
		t.Helper()
		requests, answered := estimate(stage, ws, flags...)
		before := server.Total()
		if code, _, errs := call(t, append([]string{stage, ws, "--base-url", server.URL}, flags...)...); code != exitOK {
			t.Fatalf("%s: exit %d: %s", what, code, errs)
		}
		if asked := server.Total() - before; requests != asked || asked != questions || answered != 3-asked {
			t.Errorf("%s: %s was estimated at %d questions and %d answers there; %d were asked, want %d", what, stage, requests, answered, asked, questions)
		}
	}
	old := titled(t, t.TempDir(), "Red mug", "Blue bowl", "Green lamp")
	for _, stage := range []string{"describe", "reason"} {
		step("nothing there", stage, old, 3)
		step("all there", stage, old, 0)
		step("another seed", stage, old, 3, "--model-seed", "7")
		step("the old seed", stage, old, 0)
	}
	changed := titled(t, t.TempDir(), "Red mug", "Chipped blue bowl", "Green lamp")
	ledger, err := os.ReadFile(filepath.Join(old, "generations.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(changed, "generations.db"), ledger, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, stage := range []string{"describe", "reason"} {
		step("one title changed", stage, changed, 1)
	}
	if _, out, _ := call(t, "describe", changed, "--estimate"); !strings.Contains(out, "if the pictures and the model's weights are as they were") {
		t.Errorf("the estimate does not say what it takes for granted: %s", out)
	}
}

// TestEstimateSaysWhatItDoesNotKnow writes a priced estimate and one of a model without a
// price.
func TestEstimateSaysWhatItDoesNotKnow(t *testing.T) {
	var b strings.Builder
	for _, e := range []writer.Estimate{
		{Priced: true, Cost: 1.5, CostMost: 2, Currency: "USD", PricesAsOf: "2026-01", ImageTokens: 7, PicturesOK: true},
		{ImageTokens: 7},
	} {
		if err := writeEstimate(&b, e); err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{"1.50 USD, at most 2.00", "check them", "not in the price table", "a guess"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
