package lsa

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/mllmrec/mllmrec/internal/nn/svd"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// corpus returns n texts over a few topics; each topic has words of its own.
func corpus(n int, seed uint64) []string {
	rng := rand.New(rand.NewPCG(seed, 1))
	texts := make([]string, n)
	for i := range texts {
		topic := i % 7
		var words []string
		for range 6 + rng.IntN(10) {
			if rng.IntN(3) > 0 {
				words = append(words, fmt.Sprintf("topic%dword%d", topic, rng.IntN(20)))
			} else {
				words = append(words, fmt.Sprintf("common%d", rng.IntN(200)))
			}
		}
		texts[i] = strings.Join(words, " ")
	}
	return texts
}

func fit(t *testing.T, texts []string, opt Options) *Model {
	t.Helper()
	m, err := Fit(t.Context(), texts, opt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func encode(t *testing.T, m *Model, texts ...string) *tensor.Matrix {
	t.Helper()
	x, err := m.Encode(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// The randomized factorisation must agree with a dense one.
func TestSVDAgreesWithADenseOne(t *testing.T) {
	texts := corpus(300, 1)
	m := &Model{bits: 16, bigrams: false}
	opt, _ := Options{}.checked(len(texts))
	if err := m.chooseTerms(t.Context(), texts, opt); err != nil {
		t.Fatal(err)
	}
	a := m.weigh(texts)
	const dim = 8
	v, sigma, err := svd.Truncated(t.Context(), a, svd.Options{Dim: dim, Oversample: 16, Power: 4, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	dense := mat.NewDense(a.Rows, a.Cols, nil)
	for i := range a.Rows {
		cols, vals := a.Row(i)
		for e, c := range cols {
			dense.Set(i, int(c), float64(vals[e]))
		}
	}
	var whole mat.SVD
	if !whole.Factorize(dense, mat.SVDThin) {
		t.Fatal("dense SVD did not converge")
	}
	want := whole.Values(nil)
	var wantV mat.Dense
	whole.VTo(&wantV)
	// Seven topics stand apart from the noise: their directions must agree.
	for j := range 7 {
		if math.Abs(sigma[j]-want[j]) > 1e-3*want[0] {
			t.Errorf("singular value %d is %v, want %v", j, sigma[j], want[j])
		}
	}
	for j := range 7 { // the subspace of the topics: projections have length 1
		var length float64
		for k := range 7 {
			var dot float64
			for i := range a.Cols {
				dot += float64(v.Data[i*v.Cols+j]) * wantV.At(i, k)
			}
			length += dot * dot
		}
		if math.Abs(length-1) > 1e-2 {
			t.Errorf("direction %d lies in the dense subspace by %v only", j, length)
		}
	}
	for j := range dim { // orthonormal columns, largest entry positive
		var top float32
		for k := range dim {
			var dot float64
			for i := range a.Cols {
				dot += float64(v.Data[i*dim+j]) * float64(v.Data[i*dim+k])
			}
			want := 0.0
			if j == k {
				want = 1
			}
			if math.Abs(dot-want) > 1e-3 {
				t.Errorf("columns %d and %d: product %v", j, k, dot)
			}
		}
		for i := range a.Cols {
			if x := v.Data[i*dim+j]; abs(x) > abs(top) {
				top = x
			}
		}
		if top <= 0 {
			t.Errorf("column %d: largest entry %v is not positive", j, top)
		}
	}
}

func TestTextsOfOneTopicAreNear(t *testing.T) {
	texts := corpus(420, 2)
	m := fit(t, texts, Options{Dim: 16})
	x := encode(t, m, texts...)
	var same, other float64
	for i := 0; i < 70; i++ {
		for j := 70; j < 140; j++ {
			dot := float64(tensorDot(x.Row(i), x.Row(j)))
			if i%7 == j%7 {
				same += dot / 700
			} else {
				other += dot / 4200
			}
		}
	}
	if same < 0.5 || other > 0.2 {
		t.Errorf("mean cosine %.3f within topics, %.3f across", same, other)
	}
	for i := range x.Rows {
		if n := tensorDot(x.Row(i), x.Row(i)); math.Abs(float64(n)-1) > 1e-5 {
			t.Fatalf("row %d has squared length %v", i, n)
		}
	}
}

func tensorDot(a, b []float32) (s float32) {
	for i := range a {
		s += a[i] * b[i]
	}
	return s
}

func TestEncodeUnknownHostileAndHugeTexts(t *testing.T) {
	m := fit(t, corpus(200, 3), Options{Dim: 16})
	huge := strings.Repeat("topic1word1 \x00\u202e\n", 70_000)
	x := encode(t, m, "", "the of and", "neverseen", "topic1word1", huge, "\xff\xfe topic1word1 \x00")
	for _, i := range []int{0, 1, 2} {
		if n := tensorDot(x.Row(i), x.Row(i)); n != 0 {
			t.Errorf("text %d has no known term but length %v", i, n)
		}
	}
	if !slices.Equal(x.Row(3), x.Row(5)) {
		t.Error("bytes that are no word change a vector")
	}
	if d := tensorDot(x.Row(3), x.Row(4)); d < 0.9 {
		t.Errorf("a megabyte of one word has cosine %v with the word", d)
	}
}

// A text's vector must not depend on its neighbours or on the number of processors.
func TestBitIdentical(t *testing.T) {
	texts := corpus(500, 4)
	one := fit(t, texts, Options{Dim: 32, Seed: 7})
	x := encode(t, one, texts...)
	for _, procs := range []int{1, 2, 4} {
		old := runtime.GOMAXPROCS(procs)
		two := fit(t, texts, Options{Dim: 32, Seed: 7})
		y := encode(t, two, texts...)
		runtime.GOMAXPROCS(old)
		if one.ID() != two.ID() || !slices.Equal(x.Data, y.Data) {
			t.Fatalf("GOMAXPROCS %d changes the model: %s, %s", procs, one.ID(), two.ID())
		}
	}
	if y := encode(t, one, texts[77]); !slices.Equal(y.Row(0), x.Row(77)) {
		t.Error("a text alone has another vector than among others")
	}
	if fit(t, texts, Options{Dim: 32, Seed: 8}).ID() == one.ID() {
		t.Error("the seed changes nothing")
	}
}

func TestSmallCatalogues(t *testing.T) {
	m := fit(t, []string{"red sock", "blue sock", "red hat", "red hat"}, Options{})
	if m.Dim() < 2 || m.Dim() > 3 {
		t.Errorf("three distinct texts span %d dimensions", m.Dim())
	}
	x := encode(t, m, "red hat", "blue sock", "sock")
	if tensorDot(x.Row(2), x.Row(1)) <= tensorDot(x.Row(2), x.Row(0)) {
		t.Error("sock is nearer to red hat than to blue sock")
	}
	one := fit(t, []string{"lonely item"}, Options{})
	if one.Dim() != 1 {
		t.Errorf("one text spans %d dimensions", one.Dim())
	}
	for _, texts := range [][]string{nil, {"", "the"}, {"a1", "b2"}} {
		opt := Options{}
		if len(texts) == 2 && texts[0] == "a1" {
			opt.MinDF = 2
		}
		if _, err := Fit(t.Context(), texts, opt); !errors.Is(err, errNoTerms) {
			t.Errorf("%q: error %v, want %v", texts, err, errNoTerms)
		}
	}
}

func TestMaxTermsKeepsTheFrequent(t *testing.T) {
	texts := []string{"often x1 y", "often x2", "often x3 y", "often x4"}
	m := fit(t, texts, Options{MaxTerms: 1, NoBigrams: true})
	if len(m.buckets) != 1 {
		t.Fatalf("%d terms kept", len(m.buckets))
	}
	if x := encode(t, m, "often"); x.Data[0] != 1 {
		t.Errorf("the most frequent term was dropped: %v", x.Data)
	}
}

func TestOptionsOutOfRange(t *testing.T) {
	for _, opt := range []Options{{Dim: -1}, {Bits: 25}, {Bits: 7}, {Power: -3}, {Oversample: 1 << 20}, {MinDF: -2}, {MaxTerms: -1}} {
		if _, err := Fit(t.Context(), []string{"a1 b1"}, opt); err == nil {
			t.Errorf("%+v accepted", opt)
		}
	}
}

func TestCancel(t *testing.T) {
	m := fit(t, corpus(50, 5), Options{Dim: 4})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Fit(ctx, corpus(50, 5), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Fit: %v", err)
	}
	if _, err := m.Encode(ctx, []string{"x1"}); !errors.Is(err, context.Canceled) {
		t.Errorf("Encode: %v", err)
	}
}

// load reads the model in the file at path.
func load(path string) (*Model, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return Load(f)
}

func TestSaveLoad(t *testing.T) {
	texts := corpus(120, 6)
	m := fit(t, texts, Options{Dim: 12})
	path := filepath.Join(t.TempDir(), "lsa.safetensors")
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
	l, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	if l.ID() != m.ID() || !slices.Equal(encode(t, l, texts...).Data, encode(t, m, texts...).Data) {
		t.Error("the loaded model is another")
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	raw[len(raw)-2] ^= 1
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a flipped bit went unseen: %v", err)
	}
}

func FuzzCount(f *testing.F) {
	for _, s := range []string{"", "red red sock", "红色袜子", "\xff#tag", "a1 b2 a1 b2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c := counter{bits: 10, bigrams: true}
		last := -1
		for _, f := range c.count(s, nil) {
			if int(f.bucket) <= last || f.bucket >= 1<<10 || f.count == 0 {
				t.Fatalf("feature %+v after bucket %d", f, last)
			}
			last = int(f.bucket)
		}
	})
}

// The shape of the large measured catalogue: 20,000 titles of some 15 words.
func BenchmarkFit20k(b *testing.B) {
	texts := corpus(20_000, 9)
	for b.Loop() {
		if _, err := Fit(b.Context(), texts, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	m, err := Fit(b.Context(), corpus(2_000, 9), Options{})
	if err != nil {
		b.Fatal(err)
	}
	texts := corpus(10_000, 10)
	for b.Loop() {
		if _, err := m.Encode(b.Context(), texts); err != nil {
			b.Fatal(err)
		}
	}
}

func abs(x float32) float32 { return max(x, -x) }
