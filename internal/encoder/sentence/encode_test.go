package sentence

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

func mustLoad(t testing.TB, dir string, opt Options) *Model {
	t.Helper()
	m, err := Load(dir, opt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func encodeTiny(t *testing.T, dir string) *tensor.Matrix {
	t.Helper()
	v, err := mustLoad(t, dir, Options{}).Encode(t.Context(), readGolden(t).quarter())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestVectorsDependOnTheTextAlone encodes the texts together, one by one and in another
// order, on one core and on several: the same bits each time.
func TestVectorsDependOnTheTextAlone(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	m := mustLoad(t, tiny(t), Options{Long: Mean})
	texts := readGolden(t).quarter()
	want, err := m.Encode(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	backwards := slices.Clone(texts)
	slices.Reverse(backwards)
	for _, procs := range []int{2, 5} {
		runtime.GOMAXPROCS(procs)
		got, err := m.Encode(t.Context(), backwards)
		if err != nil {
			t.Fatal(err)
		}
		for i := range texts {
			one, err := m.Encode(t.Context(), texts[i:i+1])
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Row(len(texts)-1-i), want.Row(i)) || !slices.Equal(one.Row(0), want.Row(i)) {
				t.Fatalf("text %d %.40q on %d processors differs", i, texts[i], procs)
			}
		}
	}
}

func TestVectorsAreFiniteAndNormalised(t *testing.T) {
	m := mustLoad(t, tiny(t), Options{})
	v, err := m.Encode(t.Context(), []string{"", "film", "film", strings.Repeat("\xff\x00", 100), "\U0010ffff"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range v.Rows {
		if n := tensor.Norm2(v.Row(i)); !(math.Abs(n-1) < 1e-6) {
			t.Errorf("row %d has norm %v", i, n)
		}
	}
	if !slices.Equal(v.Row(1), v.Row(2)) || slices.Equal(v.Row(0), v.Row(1)) {
		t.Error("equal texts differ, or others do not")
	}
	if none, err := m.Encode(t.Context(), nil); err != nil || none.Rows != 0 || none.Cols != m.Dim() {
		t.Errorf("no texts: %v", err)
	}
}

func TestCancelledEncoding(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m := mustLoad(t, tiny(t), Options{})
	if _, err := m.Encode(ctx, []string{"film"}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestDamagedWeightsAreNoticed(t *testing.T) {
	m := mustLoad(t, tiny(t, weights(t, func(m map[string]arrayfile.Tensor) {
		m["encoder.layer.0.output.dense.bias"].Data[3] = float32(math.NaN())
	})), Options{})
	if _, err := m.Encode(t.Context(), []string{"film"}); err == nil || !strings.Contains(err.Error(), "text 0") {
		t.Error(err)
	}
}
