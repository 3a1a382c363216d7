//go:build unix

package sentence

import (
	"encoding/csv"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// benchTexts are 2,000 real item texts: MicroLens titles, every second one joined with
// the 2 to 6 after it. scripts/peer_encoder.py makes the same.
func benchTexts(b *testing.B) []string {
	b.Helper()
	dir := os.Getenv("MLLMREC_DATA_DIR")
	if dir == "" {
		b.Skip("MLLMREC_DATA_DIR is not set: no folder with microlens/MicroLens-50k_titles.csv")
	}
	f, err := os.Open(filepath.Join(dir, "microlens", "MicroLens-50k_titles.csv"))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		b.Fatal(err)
	}
	texts := make([]string, 2000)
	for i := range texts {
		n := 1
		if i%2 == 1 {
			n = 3 + i/2%5
		}
		var parts []string
		for _, row := range rows[1+i : 1+i+n] {
			parts = append(parts, row[1])
		}
		texts[i] = strings.Join(parts, " ")
	}
	return texts
}

// best reports the shortest run, which other work on the machine disturbs least, as the
// peer script does.
func best(b *testing.B, run func()) float64 {
	seconds := math.Inf(1)
	for b.Loop() {
		start := time.Now()
		run()
		seconds = min(seconds, time.Since(start).Seconds())
	}
	b.ReportMetric(seconds*1e3, "best-ms")
	return seconds
}

func encode(b *testing.B, m *Model, texts []string) func() {
	return func() {
		if _, err := m.Encode(b.Context(), texts); err != nil {
			b.Fatal(err)
		}
	}
}

func countTokens(m *Model, texts []string) float64 {
	tokens := 0
	for _, n := range m.Tokens(texts) {
		tokens += min(n, m.MaxTokens())
	}
	return float64(tokens)
}

// BenchmarkItemTexts encodes 2,000 item texts on all cores.
func BenchmarkItemTexts(b *testing.B) { itemTexts(b, miniLM(b), 2000) }

// BenchmarkMPNet encodes 200 item texts on all cores with a network of eight times the work.
func BenchmarkMPNet(b *testing.B) {
	itemTexts(b, realModel(b, "MLLMREC_MPNET_DIR", "all-mpnet-base-v2"), 200)
}

func itemTexts(b *testing.B, dir string, n int) {
	texts := benchTexts(b)[:n]
	m := mustLoad(b, dir, Options{})
	tokens := countTokens(m, texts)
	seconds := best(b, encode(b, m, texts))
	b.ReportMetric(float64(len(texts))/seconds, "texts/s")
	b.ReportMetric(tokens/seconds, "tokens/s")
}

// BenchmarkSentence encodes one sentence of 100 words on all cores.
func BenchmarkSentence(b *testing.B) {
	m := mustLoad(b, miniLM(b), Options{})
	text := []string{strings.TrimSpace(strings.Repeat("the quick brown fox jumps over the lazy dog and ", 10))}
	best(b, encode(b, m, text))
	b.ReportMetric(countTokens(m, text), "tokens")
}

// BenchmarkProcessorTime encodes 60 item texts and reports the processor's time a token,
// which does not count the time of other programs.
func BenchmarkProcessorTime(b *testing.B) {
	for variable, name := range map[string]string{"MLLMREC_MINILM_DIR": "all-MiniLM-L6-v2", "MLLMREC_MPNET_DIR": "all-mpnet-base-v2"} {
		b.Run(name, func(b *testing.B) { processorTime(b, realModel(b, variable, name)) })
	}
}

func processorTime(b *testing.B, dir string) {
	texts := benchTexts(b)[:60]
	m := mustLoad(b, dir, Options{})
	tokens := countTokens(m, texts)
	encode(b, m, texts)() // so that loading is not counted
	start := processorSeconds(b)
	best(b, encode(b, m, texts))
	b.ReportMetric((processorSeconds(b)-start)/float64(b.N)/tokens*1e6, "cpu-µs/token")
}

func processorSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}
