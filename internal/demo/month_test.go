package demo

import (
	"testing"

	"github.com/mllmrec/mllmrec/internal/demo/shop"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Lists follow the newcomers' tastes: they begin with what most people chose, and suit them better as they buy; the night's runs are served.
func TestAWeekOfTheShop(t *testing.T) {
	ws, _, err := openShop(Options{Dir: t.TempDir(), Seed: shop.Seed})
	if err != nil {
		t.Fatal(err)
	}
	var days []Day
	if err := Month(t.Context(), ws.Dir(), shop.Seed, 7, func(d Day) { days = append(days, d) }); err != nil {
		t.Fatal(err)
	}
	if err := Month(t.Context(), ws.Dir(), shop.Seed, 1, func(Day) {}); usererr.KindOf(err) != usererr.KindMistake {
		t.Errorf("a month on top of another: %v", err)
	}
	first, last := days[0], days[len(days)-1]
	if len(days) != 7 || first.Kept > first.Popular+0.5 || last.Kept < first.Kept+0.6 || last.Kept < last.Popular+1 {
		t.Errorf("%+v", days)
	}
	swaps := 0
	for _, d := range days {
		if d.Swapped {
			swaps++
		}
	}
	if swaps < 4 || last.Run == first.Run {
		t.Errorf("%d nights of 7 gave the run of the next day", swaps)
	}
}
