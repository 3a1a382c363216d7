package money_test

import (
	"testing"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/dataset/internal/money"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]float64{
		"12.99": 12.99, "$12.99": 12.99, " 12,99 € ": 12.99, "EUR 5": 5, "1,299": 1299, "$1,299.00": 1299, "1.299,50 €": 1299.5, "1'299.50 CHF": 1299.5,
		"1 299,50 zł": 1299.5, "1.299": 1.299, "12,345,678": 12345678, "1.234.567": 1234567, "$10.00 - $20.00": 10, "0": 0, "1e3": 1000, "¥800": 800, "5,5": 5.5,
	} {
		if got, ok := money.Parse(text); !ok || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "free", "-5", "NaN", "Inf", "1.2.3", "1,23,456", ",5", "5 + 5", "1e300", "$", "1,2345,678", "1234,567,890", "{'a': 1}"} {
		if got, ok := money.Parse(text); ok {
			t.Errorf("%q: %v; want none", text, got)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"$1,299.00", "1.299,50 €", "10 - 20", "'", ",,", "１２"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if p, ok := money.Parse(s); ok && !dataset.ValidPrice(p) {
			t.Errorf("%q: %v", s, p)
		}
	})
}
