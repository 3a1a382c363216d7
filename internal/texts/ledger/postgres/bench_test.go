package postgres_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/database/pg/pgtest"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/ledgertest"
)

// BenchmarkLedger fills a ledger and reads it back: what a run does when it begins
// again, and what status does. MLLMREC_BENCH_ROWS sets its size, 20,000 by default.
func BenchmarkLedger(b *testing.B) {
	rows, _ := strconv.Atoi(os.Getenv("MLLMREC_BENCH_ROWS"))
	if rows <= 0 {
		rows = 20000
	}
	s := open(b, pgtest.Start(b).Database(b))
	const part = 2000
	timed := func(name string, f func()) {
		start := time.Now()
		f()
		b.ReportMetric(time.Since(start).Seconds(), name+"-s")
	}
	for b.Loop() {
		timed("put", func() {
			for lo := 0; lo < rows; lo += part {
				gs := make([]texts.Generation, part)
				for i := range gs {
					gs[i] = ledgertest.Full(fmt.Sprintf("%064x", lo+i))
					gs[i].Subject = fmt.Sprint("u", lo+i)
				}
				if err := s.Put(b.Context(), gs); err != nil {
					b.Fatal(err)
				}
			}
		})
		timed("get-all", func() {
			for lo := 0; lo < rows; lo += 256 { // as the engine looks answers up
				keys := make([]string, min(256, rows-lo))
				for i := range keys {
					keys[i] = fmt.Sprintf("%064x", lo+i)
				}
				if got, err := s.Get(b.Context(), keys); err != nil || len(got) != len(keys) {
					b.Fatal(len(got), err)
				}
			}
		})
		timed("counts", func() {
			if _, err := s.Counts(b.Context()); err != nil {
				b.Fatal(err)
			}
		})
		timed("each", func() {
			if err := s.Each(b.Context(), texts.StageReason, func(texts.Generation) error { return nil }); err != nil {
				b.Fatal(err)
			}
		})
	}
}
