package cli

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
)

// Two runs are compared user by user: what one gains the other loses, and the difference is that of
// the means that each has alone.
func TestTwoRunsAreCompared(t *testing.T) {
	s := newPilotShop(t)
	ok(t, "train", s.ws, "--model", "bm25", "-q")
	type duel struct {
		Run, Against string
		Tied         float64
		Metrics      []struct {
			Split, Metric         string
			MeanA                 float64 `json:"mean_a"`
			MeanB                 float64 `json:"mean_b"`
			Difference, Low, High float64
		}
	}
	compare := func(args ...string) (d duel) {
		t.Helper()
		out, _ := ok(t, append([]string{"evaluate", s.ws, "--json"}, args...)...)
		if err := json.Unmarshal([]byte(out), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	there := compare("--against", s.run)
	back := compare("--run", s.run, "--against", there.Run)
	if len(there.Metrics) != 8 || there.Against != s.run || back.Against != there.Run || there.Tied != back.Tied {
		t.Fatalf("%+v and %+v", there, back)
	}
	for n, a := range there.Metrics {
		b := back.Metrics[n]
		if a.MeanA != b.MeanB || a.Difference != -b.Difference || math.Abs(a.MeanA-a.MeanB-a.Difference) > 1e-12 || a.Low > a.Difference || a.High < a.Difference {
			t.Errorf("%+v and %+v", a, b)
		}
	}
	for says, args := range map[string][]string{
		"with itself":        {"--run", s.run, "--against", s.run},
		"no run":             {"--against", "nothing"},
		"exclude each other": {"--against", s.run, "--views"},
	} {
		if code, _, errs := call(t, append([]string{"evaluate", s.ws}, args...)...); code == exitOK || !strings.Contains(errs, says) {
			t.Errorf("%q: exit %d: %s", args, code, errs)
		}
	}
}
