package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/experiment/result"
)

// overSeeds explains ± where there is one.
func overSeeds(r *result.Result) string {
	n := len(r.Seeds)
	switch {
	case n < 2:
		return ", one seed"
	case r.Finalists > 0:
		return fmt.Sprintf("; ± is the standard deviation over %d seeds, which the %d entries had that were best on validation among those that draw by lot; the others ran with one seed", n, r.Finalists)
	}
	return fmt.Sprintf("; ± is the standard deviation over %d seeds, which entries that draw nothing by lot do without", n)
}

func spread(s result.Spread) string {
	if len(s.Values) < 2 {
		return fmt.Sprintf("%.4f", s.Mean)
	}
	return fmt.Sprintf("%.4f ± %.4f", s.Mean, s.SD)
}

func signed(v float64) string { return strings.Replace(fmt.Sprintf("%+.4f", v), "-", "−", 1) }

func small(p float64) string {
	if p < 1e-4 {
		return "< 0.0001"
	}
	return fmt.Sprintf("%.4f", p)
}

func duration(seconds float64) string {
	switch {
	case seconds < 90:
		return fmt.Sprintf("%.1f s", seconds)
	case seconds < 5400:
		return fmt.Sprintf("%.0f minutes", seconds/60)
	}
	return fmt.Sprintf("%.1f hours", seconds/3600)
}

func memory(bytes int64) string { return fmt.Sprintf("%d MB", bytes>>20) }

func pairs(m map[string]string) string {
	var all []string
	for k, v := range m {
		all = append(all, k+"="+v)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}
