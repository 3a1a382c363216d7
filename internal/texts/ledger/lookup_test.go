package ledger

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/texts/ledger/ledgertest"
)

// TestAnyNumberOfKeys asks for numbers of keys around those that one query and one
// connection take, half of them absent, in any order.
func TestAnyNumberOfKeys(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "l.db"))
	there := fill(t, s, 5*lookupKeys)
	for _, n := range []int{1, 2, lookupKeys - 1, lookupKeys, lookupKeys + 1, 2*lookupKeys - 1, 2 * lookupKeys, 2*lookupKeys + 1, 5 * lookupKeys} {
		keys := slices.Clone(there[:n])
		for i := range n {
			keys = append(keys, fmt.Sprint("absent", i))
		}
		slices.Reverse(keys)
		for _, ask := range [][]string{keys, there[:n], append(keys, keys...)} {
			got, err := s.Get(t.Context(), ask)
			if err != nil || len(got) != n {
				t.Fatalf("%d keys: %d generations of %d, %v", len(ask), len(got), n, err)
			}
			brief, err := s.Statuses(t.Context(), ask)
			if err != nil || len(brief) != n {
				t.Fatalf("%d keys: %d standings of %d, %v", len(ask), len(brief), n, err)
			}
			for i, k := range there[:n] {
				if g := got[k]; g.Key != k || g.Subject != fmt.Sprint("u", i) {
					t.Fatalf("%d keys: under %s is %+v", len(ask), k, g)
				}
			}
		}
	}
}

// TestKeysOfOneHashAreTwo has two keys meet in their hash.
func TestKeysOfOneHashAreTwo(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "l.db"))
	put := func(g texts.Generation) {
		t.Helper()
		if err := s.Put(t.Context(), []texts.Generation{g}); err != nil {
			t.Fatal(err)
		}
	}
	a, b := ledgertest.Full("a"), ledgertest.Full("b")
	b.Text = "of b"
	put(a)
	if _, err := s.db.Exec("UPDATE answers SET hash = ?", keyHash("b")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), []string{"b"}); err != nil || len(got) != 0 {
		t.Errorf("b is answered by a: %v, %v", got, err)
	}
	if got, err := s.Statuses(t.Context(), []string{"b"}); err != nil || len(got) != 0 {
		t.Errorf("b stands as a does: %v, %v", got, err)
	}
	put(b)
	if _, err := s.db.Exec("UPDATE answers SET hash = ? WHERE key = 'a'", keyHash("a")); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), []string{"a", "b"})
	if diff := cmp.Diff(map[string]texts.Generation{"a": a, "b": b}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

// TestKeyHashIsPartOfTheFormat holds published values of 64-bit FNV-1a: files are full
// of them.
func TestKeyHashIsPartOfTheFormat(t *testing.T) {
	for key, want := range map[string]uint64{"": 0xcbf29ce484222325, "a": 0xaf63dc4c8601ec8c, "foobar": 0x85944171f73967e8} {
		if got := uint64(keyHash(key)); got != want {
			t.Errorf("%q: %#x, want %#x", key, got, want)
		}
	}
}

// TestFaultBelowTheMapIsAnError cuts the file off under a connection that reads it, as
// a disk that fails does.
func TestFaultBelowTheMapIsAnError(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("other systems do not let a mapped file be cut off")
	}
	path := filepath.Join(t.TempDir(), "l.db")
	s := open(t, path)
	keys := fill(t, s, 3000)
	if err := s.Close(); err != nil { // moves all into the file
		t.Fatal(err)
	}
	s = open(t, path)
	c, err := s.readers.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.args {
		c.args[i].Value = keyHash(keys[i*len(keys)/len(c.args)])
	}
	err = c.guarded(func() error {
		return c.scan(t.Context(), c.whole.many, numColumns, c.args[:], func(context.Context, []driver.Value) error { return os.Truncate(path, 4096) })
	})
	var fault runtime.Error
	if !errors.As(err, &fault) || !c.unusable {
		t.Errorf("%v, broken %v", err, c.unusable)
	}
}

func TestOriginCacheIsBounded(t *testing.T) {
	var c originCache
	for i := range int64(2*maxOrigins + 1) {
		c.add(i, &origin{model: fmt.Sprint(i)})
		if o := c.get(i); o == nil || o.model != fmt.Sprint(i) {
			t.Fatalf("origin %d is %v", i, o)
		}
	}
	if len(c.byID) > maxOrigins {
		t.Errorf("it holds %d", len(c.byID))
	}
}

// TestOriginOfAFailedPutIsForgotten fails a Put that has made a new origin.
func TestOriginOfAFailedPutIsForgotten(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "l.db"))
	fill(t, s, 10)
	if _, err := s.db.Exec("CREATE TRIGGER refuse BEFORE INSERT ON answers WHEN NEW.key = 'refused' BEGIN SELECT RAISE(ABORT, 'no'); END"); err != nil {
		t.Fatal(err)
	}
	a, refused, b := ledgertest.Full("a"), ledgertest.Full("refused"), ledgertest.Full("b")
	a.Model, refused.Model, b.Model = "new", "new", "newer"
	if err := s.Put(t.Context(), []texts.Generation{a, refused}); err == nil {
		t.Fatal("the trigger did not fire")
	}
	if err := s.Put(t.Context(), []texts.Generation{b}); err != nil { // takes the row of the origin that was rolled back
		t.Fatal(err)
	}
	if err := s.Put(t.Context(), []texts.Generation{a}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), []string{"a", "b", "refused"})
	if diff := cmp.Diff(map[string]texts.Generation{"a": a, "b": b}, got); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
}

func FuzzSources(f *testing.F) {
	for _, s := range []string{"[]", "[0]", "[1,-2,2147483647]", "[2147483648]", "[,]", "[1,]", "[-]", "[00000000001]", "[1 ,2]", "[[1]]", "", "[", "]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		ids, err := readSources(s)
		if err != nil {
			var want []int32
			if json.Unmarshal([]byte(s), &want) == nil && want != nil && writeSources(want) == s {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		again, err := readSources(writeSources(ids))
		if err != nil || !slices.Equal(ids, again) {
			t.Fatalf("%q: %v, then %v, %v", s, ids, again, err)
		}
		var want []int32
		if err := json.Unmarshal([]byte(s), &want); err == nil && !slices.Equal(ids, want) {
			t.Fatalf("%q: %v, JSON has %v", s, ids, want)
		}
		if strings.ContainsAny(s, " .e\"") {
			t.Fatalf("%q was read", s)
		}
	})
}
