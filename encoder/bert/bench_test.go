package bert

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// benchTexts are 2,000 real item texts: MicroLens titles, every second one joined with
// the 2 to 6 after it. bench/peer_minilm.py makes the same.
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

// BenchmarkItemTexts encodes 2,000 item texts on all cores.
func BenchmarkItemTexts(b *testing.B) {
	texts := benchTexts(b)
	m, err := Load(miniLM(b))
	if err != nil {
		b.Fatal(err)
	}
	tokens := 0
	for _, n := range m.Tokens(texts) {
		tokens += min(n, m.MaxTokens())
	}
	for b.Loop() {
		if _, err := m.Encode(b.Context(), texts); err != nil {
			b.Fatal(err)
		}
	}
	seconds := b.Elapsed().Seconds() / float64(b.N)
	b.ReportMetric(float64(len(texts))/seconds, "texts/s")
	b.ReportMetric(float64(tokens)/seconds, "tokens/s")
}

// BenchmarkSentence encodes one sentence of 100 words on all cores.
func BenchmarkSentence(b *testing.B) {
	m, err := Load(miniLM(b))
	if err != nil {
		b.Fatal(err)
	}
	text := []string{strings.TrimSpace(strings.Repeat("the quick brown fox jumps over the lazy dog and ", 10))}
	b.ReportMetric(float64(m.Tokens(text)[0]), "tokens")
	for b.Loop() {
		if _, err := m.Encode(b.Context(), text); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCPU reports processor time a token on one core, which other work on the
// machine disturbs less than time on the clock.
func BenchmarkCPU(b *testing.B) {
	texts := benchTexts(b)[:60]
	m, err := Load(miniLM(b))
	if err != nil {
		b.Fatal(err)
	}
	tokens := 0
	for _, n := range m.Tokens(texts) {
		tokens += min(n, m.MaxTokens())
	}
	start := cpuSeconds()
	for b.Loop() {
		if _, err := m.Encode(b.Context(), texts); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric((cpuSeconds()-start)/float64(b.N)/float64(tokens)*1e6, "cpu-µs/token")
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return float64(u.Utime.Sec+u.Stime.Sec) + float64(u.Utime.Usec+u.Stime.Usec)/1e6
}
