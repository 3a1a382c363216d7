package cache

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"github.com/mllmrec/mllmrec/internal/nn/tensor"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// fake encodes a text as its length, its first byte and its number of calls' batches.
type fake struct {
	id    string
	calls [][]string
	bad   float32
	stop  int // fail at the call of this number
}

func (f *fake) Dim() int         { return 3 }
func (f *fake) ID() string       { return f.id }
func (f *fake) MaxTokens() int   { return 5 }
func (f *fake) LongMode() string { return "truncate" }
func (f *fake) CountLong(t []string) (n int) {
	for _, s := range t {
		if len(s) > 5 {
			n++
		}
	}
	return n
}

func (f *fake) Encode(ctx context.Context, texts []string) (*tensor.Matrix, error) {
	f.calls = append(f.calls, slices.Clone(texts))
	if f.stop > 0 && len(f.calls) == f.stop {
		return nil, context.Canceled
	}
	m := tensor.New(len(texts), 3)
	for i, text := range texts {
		copy(m.Row(i), vector(text))
		m.Row(i)[2] += f.bad
	}
	return m, nil
}

func vector(text string) []float32 {
	first := float32(0)
	if text != "" {
		first = float32(text[0]) / 3
	}
	return []float32{float32(len(text)), first, 0.1}
}

func open(t *testing.T, dir string, f *fake, opt Options) *Cache {
	t.Helper()
	c, err := Open(dir, f, opt)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func encode(t *testing.T, c *Cache, texts ...string) {
	t.Helper()
	m, err := c.Encode(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	if m.Rows != len(texts) {
		t.Fatalf("%d rows for %d texts", m.Rows, len(texts))
	}
	for i, text := range texts {
		if !slices.Equal(m.Row(i), vector(text)) {
			t.Errorf("%q: %v, want %v", text, m.Row(i), vector(text))
		}
	}
}

func TestOnlyWhatChangedIsEncoded(t *testing.T) {
	dir := t.TempDir()
	f := &fake{id: "a/1"}
	c := open(t, dir, f, Options{})
	encode(t, c, "one", "two", "", "one")
	encode(t, c, "two", "three")
	if want := [][]string{{"one", "two", ""}, {"three"}}; !slices.EqualFunc(f.calls, want, slices.Equal) {
		t.Errorf("encoded %q", f.calls)
	}
	if s := c.Stats(); s != (Stats{Texts: 6, Cached: 2, Encoded: 4}) {
		t.Errorf("%+v", s)
	}
	c.Close()

	f.calls = nil
	c = open(t, dir, f, Options{})
	defer c.Close()
	encode(t, c, "three", "", "one", "four")
	if want := [][]string{{"four"}}; !slices.EqualFunc(f.calls, want, slices.Equal) {
		t.Errorf("after opening again encoded %q", f.calls)
	}
	other := &fake{id: "b/1"}
	d := open(t, dir, other, Options{})
	defer d.Close()
	encode(t, d, "one")
	if len(other.calls) != 1 {
		t.Error("another encoder's vector was used")
	}
}

func TestAnInterruptedRunLosesNothing(t *testing.T) {
	dir := t.TempDir()
	f := &fake{id: "a/1", stop: 3}
	var told []string
	c := open(t, dir, f, Options{Block: 2, Progress: func(done, total int) { told = append(told, fmt.Sprint(done, "/", total)) }})
	if _, err := c.Encode(t.Context(), []string{"1", "22", "333", "4444", "55555"}); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	c.Close()
	if fmt.Sprint(told) != "[2/5 4/5]" {
		t.Errorf("progress %v", told)
	}
	f = &fake{id: "a/1"}
	c = open(t, dir, f, Options{Block: 2})
	defer c.Close()
	encode(t, c, "1", "22", "333", "4444", "55555")
	if want := [][]string{{"55555"}}; !slices.EqualFunc(f.calls, want, slices.Equal) {
		t.Errorf("encoded again %q", f.calls)
	}
}

// TestDamage cuts the file at every length and flips every byte: what remains is right
// or refused, and what is lost is computed again.
func TestDamage(t *testing.T) {
	dir := t.TempDir()
	texts := []string{"one", "two", "three"}
	f := &fake{id: "a/1"}
	c := open(t, dir, f, Options{})
	encode(t, c, texts...)
	headerSize, record := int(c.start), c.recordSize()
	c.Close()
	path := filePath(dir, f)
	good, err := os.ReadFile(path)
	if err != nil || len(good) != headerSize+3*record {
		t.Fatalf("%d bytes, %v", len(good), err)
	}
	for n := range good {
		again(t, dir, good[:n], max(0, n-headerSize)/record, texts)
		flipped := slices.Clone(good)
		flipped[n] ^= 1
		kept := 2
		if n < headerSize {
			kept = -1 // the whole file is refused
		}
		again(t, dir, flipped, kept, texts)
	}
}

func again(t *testing.T, dir string, content []byte, kept int, texts []string) {
	t.Helper()
	f := &fake{id: "a/1"}
	if err := os.WriteFile(filePath(dir, f), content, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := Open(dir, f, Options{})
	if kept < 0 {
		if _, ok := usererr.Hint(err); !ok {
			t.Fatalf("a damaged header: %v", err)
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	encode(t, c, texts...)
	if got := c.Stats().Encoded; got != 3-kept {
		t.Fatalf("%d bytes: %d texts encoded again, want %d", len(content), got, 3-kept)
	}
}

func TestBadVectorsAreNotKept(t *testing.T) {
	for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
		dir := t.TempDir()
		c := open(t, dir, &fake{id: "a/1", bad: bad}, Options{})
		if _, err := c.Encode(t.Context(), []string{"x"}); err == nil {
			t.Errorf("%v is kept", bad)
		}
		c.Close()
		f := &fake{id: "a/1"}
		c = open(t, dir, f, Options{})
		encode(t, c, "x")
		c.Close()
	}
}

func TestASecondWriterIsTold(t *testing.T) {
	dir := t.TempDir()
	f := &fake{id: "a/1"}
	c := open(t, dir, f, Options{})
	if _, err := Open(dir, f, Options{}); err == nil {
		t.Error("two writers")
	} else if _, ok := usererr.Hint(err); !ok {
		t.Error(err)
	}
	c.Close()
	open(t, dir, f, Options{}).Close()
}

func TestManifest(t *testing.T) {
	dir := t.TempDir()
	f := &fake{id: "a/1"}
	c := open(t, dir, f, Options{})
	defer c.Close()
	texts := []string{"short", "longer than five", ""}
	encode(t, c, texts...)
	want := Describe(c, texts, []string{"title", "image"})
	if want.Long != 1 || want.Empty != 1 || want.MaxTokens != 5 || want.LongMode != "truncate" || want.Texts != 3 || want.Stats.Encoded != 3 {
		t.Errorf("%+v", want)
	}
}
