package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec/internal/texts"
)

// benchRows is the size of the benchmarks' ledger: MLLMREC_BENCH_ROWS, or 200,000.
func benchRows() int {
	if n, err := strconv.Atoi(os.Getenv("MLLMREC_BENCH_ROWS")); err == nil && n > 0 {
		return n
	}
	return 200_000
}

// lookupSize is how many keys the engine looks up at a time.
const lookupSize = 256

// answerOf returns the i-th user's answer as a run stores it: a hash for a key, about a
// hundred words, twenty sources, and the provenance that all answers of a run share.
func answerOf(i int) texts.Generation {
	h := sha256.Sum256([]byte(strconv.Itoa(i)))
	rng := rand.New(rand.NewPCG(uint64(i), 1))
	words := []string{"prefers", "durable", "toys", "with", "soft", "colours", "and", "simple", "shapes", "organic", "cotton", "for", "outdoor", "play"}
	var text strings.Builder
	for range 90 + rng.IntN(20) {
		text.WriteString(words[rng.IntN(len(words))])
		text.WriteByte(' ')
	}
	sources := make([]int32, 20)
	for j := range sources {
		sources[j] = int32(rng.IntN(20_000_000))
	}
	return texts.Generation{
		Key: hex.EncodeToString(h[:]), Stage: texts.StageReason, Subject: fmt.Sprintf("A%013d", i), Fold: texts.FullFold,
		Model: "gemma3:27b", ModelDigest: strings.Repeat("ab", 32),
		Params:     fmt.Sprintf(`{"image_runes":600,"item_runes":400,"max_tokens":512,"prompt_sha256":"%x","seed":42,"temperature":0.1,"words":100}`, sha256.Sum256(h[:])),
		PromptHash: strings.Repeat("cd", 32), SplitHash: strings.Repeat("ef", 32), Scope: "train", Sources: sources,
		Text: strings.TrimSpace(text.String()), Status: texts.StatusOK, Finish: "stop", PromptTokens: 900 + rng.IntN(400),
		AnswerTokens: 100 + rng.IntN(60), Seconds: rng.Float64() * 3, Attempt: 1, Created: time.UnixMicro(1_790_000_000_000_000 + int64(i)*780),
	}
}

// benchLedger fills a ledger and returns its path and keys in the order of the run.
func benchLedger(b *testing.B, rows int) (path string, keys []string) {
	b.Helper()
	path = filepath.Join(b.TempDir(), "l.db")
	s := open(b, path)
	batch := make([]texts.Generation, 0, 5000)
	for i := range rows {
		g := answerOf(i)
		keys = append(keys, g.Key)
		if batch = append(batch, g); len(batch) == cap(batch) || i == rows-1 {
			if err := s.Put(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
	return path, keys
}

// BenchmarkResume looks up every answer of a ledger, as a run does that begins again: in
// the run's order, and in an order that has nothing to do with the file's. The cold ones
// empty the system's file cache first, which takes Linux and root: MLLMREC_BENCH_COLD=1.
func BenchmarkResume(b *testing.B) {
	path, keys := benchLedger(b, benchRows())
	shuffled := append([]string(nil), keys...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(keys), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	for _, c := range []struct {
		name string
		keys []string
		cold bool
	}{{"run-order/warm", keys, false}, {"any-order/warm", shuffled, false}, {"run-order/cold", keys, true}, {"any-order/cold", shuffled, true}} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				b.StopTimer()
				if c.cold {
					dropFileCache(b)
				}
				b.StartTimer()
				lookUpAll(b, path, c.keys)
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(keys)), "µs/key")
		})
	}
	b.Run("statuses", func(b *testing.B) {
		for range b.N {
			s := open(b, path)
			for part := range slices.Chunk(keys, lookupSize) {
				if got, err := s.Statuses(b.Context(), part); err != nil || len(got) != len(part) {
					b.Fatal(len(got), err)
				}
			}
		}
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(keys)), "µs/key")
	})
	b.Run("counts", func(b *testing.B) {
		s := open(b, path)
		for b.Loop() {
			if c, err := s.Counts(b.Context()); err != nil || c[0].Generations != len(keys) {
				b.Fatal(c, err)
			}
		}
	})
}

func lookUpAll(b *testing.B, path string, keys []string) {
	b.Helper()
	s := open(b, path)
	for part := range slices.Chunk(keys, lookupSize) {
		if got, err := s.Get(b.Context(), part); err != nil || len(got) != len(part) {
			b.Fatal(len(got), err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

func dropFileCache(b *testing.B) {
	b.Helper()
	if os.Getenv("MLLMREC_BENCH_COLD") == "" {
		b.Skip("set MLLMREC_BENCH_COLD=1, as root on Linux, to empty the system's file cache")
	}
	if err := os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0o200); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPut stores so many answers a transaction, each of which is on disk when it
// returns.
func BenchmarkPut(b *testing.B) {
	for _, size := range []int{1, 64, 2000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			s := open(b, filepath.Join(b.TempDir(), "l.db"))
			gs, next := make([]texts.Generation, size), 0
			b.ReportAllocs()
			for range b.N {
				b.StopTimer()
				for i := range gs {
					gs[i] = answerOf(next)
					next++
				}
				b.StartTimer()
				if err := s.Put(b.Context(), gs); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*size), "µs/answer")
		})
	}
}
