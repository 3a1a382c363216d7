package mllmrec_test

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mllmrec/mllmrec"
	"github.com/mllmrec/mllmrec/dataset/tables"
)

// home is the folder of the sources, where the tests would run by themselves.
var home string

// TestMain makes a small shop in a new folder, which becomes the working folder, so that
// examples name files as a program would. It holds clicks.csv and catalogue.csv; shop.ws,
// a workspace with two runs of mllmrec, made without a model server; and clicks.ws, with a
// run of bpr on the clicks alone.
func TestMain(m *testing.M) { os.Exit(inShop(m)) }

func inShop(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mllmrec")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv("MLLMREC_CONFIG_DIR", filepath.Join(dir, "config")); err != nil { // no test sees what the user agreed to
		log.Fatal(err)
	}
	if home, err = os.Getwd(); err != nil {
		log.Fatal(err)
	}
	if err := os.Chdir(dir); err != nil {
		log.Fatal(err)
	}
	defer os.Chdir(home) //nolint:errcheck // only so that the folder can be removed
	if err := makeShop(context.Background()); err != nil {
		log.Print(err)
		return 1
	}
	return m.Run()
}

func makeShop(ctx context.Context) error {
	if err := writeShop(); err != nil {
		return err
	}
	if err := importShop(ctx, "shop.ws", "catalogue.csv"); err != nil {
		return err
	}
	for _, opt := range []mllmrec.BuildOptions{
		{Model: "mllmrec", Settings: map[string]string{"epochs": "1"}, Options: map[string]string{"mllm": "offline"}},
		{Model: "mllmrec", Settings: map[string]string{"epochs": "60"}, Options: map[string]string{"mllm": "offline"}},
	} {
		if _, err := mllmrec.Build(ctx, "shop.ws", opt); err != nil {
			return err
		}
	}
	if err := importShop(ctx, "clicks.ws", ""); err != nil {
		return err
	}
	_, err := mllmrec.Build(ctx, "clicks.ws", mllmrec.BuildOptions{Model: "bpr"})
	return err
}

func importShop(ctx context.Context, dir, items string) error {
	ds, report, err := tables.Read(ctx, tables.Options{Interactions: "clicks.csv", Items: items, Domain: "housewares"})
	if err != nil {
		return err
	}
	_, err = mllmrec.Import(ctx, dir, ds, mllmrec.ImportOptions{Report: report})
	return err
}

const (
	shoppers = 80
	looks    = 10
)

// writeShop writes 40 products, ten looks of four kinds, and 80 shoppers who each chose
// seven of one kind, and one of the next.
func writeShop() error {
	kinds := []struct{ id, words string }{
		{"mug", "mug,Kilnwood,Kitchen|Mugs,Stoneware for coffee and tea"},
		{"lamp", "lamp,Glimmer,Lighting|Lamps,Warm light for the bedside"},
		{"sneaker", "sneaker,Fleet,Shoes|Sneakers,Canvas upper with a rubber sole"},
		{"tent", "tent,Ridgeback,Outdoor|Tents,Waterproof shelter for two campers"},
	}
	colours := [looks]string{"Red striped", "Blue", "Green", "Yellow", "White", "Black", "Grey dotted", "Orange", "Violet", "Brown"}
	var items, clicks strings.Builder
	items.WriteString("item,title,brand,categories,description\n")
	clicks.WriteString("user,item,time\n")
	for _, kind := range kinds {
		for n, colour := range colours {
			fmt.Fprintf(&items, "%s-%02d,%s %s\n", kind.id, n, colour, kind.words)
		}
	}
	for u := range shoppers {
		for n := range 8 {
			kind, look := u%len(kinds), (u/len(kinds)+3*n)%looks
			if n == 7 {
				kind = (kind + 1) % len(kinds)
			}
			fmt.Fprintf(&clicks, "u%02d,%s-%02d,%d\n", u, kinds[kind].id, look, 1_700_000_000+3600*(8*u+n))
		}
	}
	if err := os.WriteFile("catalogue.csv", []byte(items.String()), 0o644); err != nil {
		return err
	}
	return os.WriteFile("clicks.csv", []byte(clicks.String()), 0o644)
}

// open opens the run of a workspace that was built last.
func open(t *testing.T, dir string, opts ...mllmrec.Option) *mllmrec.Recommender {
	t.Helper()
	rec, err := mllmrec.Open(t.Context(), dir, opts...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rec.Close() })
	return rec
}

// copyOf returns a copy of a workspace that a test may spoil.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), dir)
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// relay serves at an address what another server answers.
func relay(t *testing.T, address, to string) {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("the address %s was taken meanwhile: %v", address, err)
	}
	s := &http.Server{Handler: httputil.NewSingleHostReverseProxy(target), ReadHeaderTimeout: time.Minute}
	go s.Serve(l) //nolint:errcheck // it ends by Close
	t.Cleanup(func() { s.Close() })
}

// What the README shows of Go is an example that is compiled and run.
func TestReadmeShowsAnExample(t *testing.T) {
	read := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(home, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(raw), "\r\n", "\n")
	}
	_, section, ok := strings.Cut(read("README.md"), "## In Go\n\n```go\n")
	shown, _, closed := strings.Cut(section, "```\n")
	if !ok || !closed {
		t.Fatal("README.md has no Go code under its heading In Go")
	}
	var indented strings.Builder
	for line := range strings.Lines(shown) {
		if line != "\n" {
			line = "\t" + line
		}
		indented.WriteString(line)
	}
	if !strings.Contains(read("example_test.go"), "func Example() {\n"+indented.String()) {
		t.Errorf("the README's code is not that of Example:\n%s", shown)
	}
}
