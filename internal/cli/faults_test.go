package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mllmrec/mllmrec/internal/file/arrayfile"
	"github.com/mllmrec/mllmrec/internal/nn/tensor"
)

// call runs a command line in-process.
func call(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(context.Background(), args, &out, &errs)
	return code, out.String(), errs.String()
}

// importTables imports two CSV tables, which it writes into dir, without a k-core.
func importTables(t *testing.T, dir, inter, items string) (ws string) {
	t.Helper()
	for name, text := range map[string]string{"inter.csv": inter, "items.csv": items} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	ws = filepath.Join(dir, "ws")
	if code, _, errs := call(t, "import", "tables", "--interactions", filepath.Join(dir, "inter.csv"), "--items", filepath.Join(dir, "items.csv"),
		"--split", "leave-latest", "--k-core", "0", "--out", ws); code != exitOK {
		t.Fatalf("import: exit %d: %s", code, errs)
	}
	return ws
}

const users, items = 6, 5

// interactions writes a labelled .inter file: every user has three train items, a
// valid and a test one.
func interactions(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("userID\titemID\tx_label\n")
	for u := range users {
		for i := range items {
			fmt.Fprintf(&b, "%d\t%d\t%d\n", u, (u+i)%items, max(0, i-2))
		}
	}
	path := filepath.Join(dir, "data.inter")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func vectors(t *testing.T, path string, rows int) *tensor.Matrix {
	t.Helper()
	m := tensor.New(rows, 4)
	for i := range m.Data {
		m.Data[i] = float32(i%7) - 2.5
	}
	if err := arrayfile.WriteNPY(path, m); err != nil {
		t.Fatal(err)
	}
	return m
}

// fingerprint hashes every file below dir, so that a test can say that nothing changed.
func fingerprint(t *testing.T, dir string) map[string][32]byte {
	t.Helper()
	sums := map[string][32]byte{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(path)
		sums[path] = sha256.Sum256(raw)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sums
}

func TestBadFeaturesLeaveNoWorkspace(t *testing.T) {
	dir := t.TempDir()
	inter := interactions(t, dir)
	good := filepath.Join(dir, "good.npy")
	vectors(t, good, items)
	whole, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	poisoned := bytes.Clone(whole)
	copy(poisoned[len(poisoned)-4:], []byte{0, 0, 0xc0, 0x7f}) // NaN, little endian
	if !math.IsNaN(float64(math.Float32frombits(0x7fc00000))) {
		t.Fatal("not a NaN")
	}
	short := filepath.Join(dir, "short.npy")
	vectors(t, short, items-1)
	shortRaw, err := os.ReadFile(short)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		raw  []byte
		says string
	}{
		"NaN":         {poisoned, "row"},
		"torn":        {whole[:len(whole)-3], ""},
		"not npy":     {[]byte("PK\x03\x04 not an array"), ""},
		"wrong shape": {shortRaw, "4 rows for 5 items"},
		"empty":       {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			file, out := filepath.Join(t.TempDir(), "x.npy"), filepath.Join(t.TempDir(), "ws")
			if err := os.WriteFile(file, c.raw, 0o600); err != nil {
				t.Fatal(err)
			}
			code, _, errs := call(t, "import", "mmrec", "--inter", inter, "--item-features", file, "--out", out)
			if code != exitUser || !strings.Contains(errs, "x.npy") || !strings.Contains(errs, c.says) {
				t.Errorf("exit %d: %s", code, errs)
			}
			if _, err := os.Stat(out); err == nil {
				t.Error("a workspace was left behind")
			}
		})
	}
}

func TestDamagedWorkspaceIsNamedAndLeftAlone(t *testing.T) {
	dir := t.TempDir()
	inter := interactions(t, dir)
	x, p := filepath.Join(dir, "x.npy"), filepath.Join(dir, "p.npy")
	vectors(t, x, items)
	vectors(t, p, users)
	for _, file := range []string{"features/*/items.npy", "interactions.parquet", "workspace.json", "graphs/*/item.npz"} {
		t.Run(file, func(t *testing.T) {
			ws := filepath.Join(t.TempDir(), "ws")
			for _, args := range [][]string{
				{"import", "mmrec", "--inter", inter, "--item-features", x, "--user-features", p, "--out", ws},
				{"graph", "build", ws},
			} {
				if code, _, errs := call(t, args...); code != exitOK {
					t.Fatalf("%v: exit %d: %s", args, code, errs)
				}
			}
			found, err := filepath.Glob(filepath.Join(ws, filepath.FromSlash(file)))
			if err != nil || len(found) != 1 {
				t.Fatal(found, err)
			}
			damaged := found[0]
			raw, err := os.ReadFile(damaged)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(damaged, raw[:len(raw)/2], 0o600); err != nil {
				t.Fatal(err)
			}
			before := fingerprint(t, ws)
			code, _, errs := call(t, "train", ws, "--model", "mllmrec", "--set", "epochs=1", "--seed", "1")
			if code == exitOK || !strings.Contains(errs, filepath.Base(file)) {
				t.Errorf("exit %d: %s", code, errs)
			}
			after := fingerprint(t, ws)
			for path, sum := range before {
				if after[path] != sum {
					t.Errorf("%s changed", path)
				}
			}
			if len(after) > len(before)+1 { // the lock's side file
				t.Errorf("%d files before, %d after", len(before), len(after))
			}
		})
	}
}

func TestEmptySplitIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "train-only.inter")
	if err := os.WriteFile(path, []byte("userID\titemID\tx_label\n0\t0\t0\n0\t1\t0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := call(t, "import", "mmrec", "--inter", path, "--out", filepath.Join(dir, "ws"))
	if code != exitUser || !strings.Contains(errs, "test") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestInterruptSaysNothingIsLost(t *testing.T) {
	dir := t.TempDir()
	inter := interactions(t, dir)
	ws := filepath.Join(dir, "ws")
	if code, _, errs := call(t, "import", "mmrec", "--inter", inter, "--out", ws); code != exitOK {
		t.Fatal(errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errs bytes.Buffer
	if code := run(ctx, []string{"train", ws, "--model", "bpr"}, &out, &errs); code != exitInterrupted || !strings.Contains(errs.String(), "goes on") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}
