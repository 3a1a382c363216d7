package archtest

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	module = "github.com/mllmrec/mllmrec"
	root   = "../.."
)

// row is a line of the import table.
type row struct {
	name    string
	imports []string
}

// table reads the import table of docs/architecture.md.
func table(t *testing.T) []row {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(root, "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(raw), "| package | holds | may import |")
	if !ok {
		t.Fatal("docs/architecture.md has no import table")
	}
	var rows []row
	for line := range strings.Lines(text) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 {
			if len(rows) > 0 {
				break
			}
			continue
		}
		if names := quoted(cells[0]); len(names) == 1 {
			rows = append(rows, row{names[0], quoted(cells[2])})
		}
	}
	return rows
}

// quoted returns what stands between backticks.
func quoted(cell string) []string {
	var names []string
	for i, part := range strings.Split(cell, "`") {
		if i%2 == 1 {
			names = append(names, part)
		}
	}
	return names
}

// covers reports whether a name of the table means a package.
func covers(name, pkg string) bool {
	if below, ok := strings.CutSuffix(name, "/…"); ok {
		return pkg == below || strings.HasPrefix(pkg, below+"/")
	}
	return pkg == name
}

// rowOf returns the row of a package: its own, else that of the longest "…" above it.
func rowOf(rows []row, pkg string) (row, bool) {
	best, found := row{}, false
	for _, r := range rows {
		if r.name == pkg {
			return r, true
		}
		if covers(r.name, pkg) && len(r.name) > len(best.name) {
			best, found = r, true
		}
	}
	return best, found
}

// pkg is what go list says of a package.
type pkg struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("the go tool is not there to list the imports")
	}
	cmd := exec.Command(tool, "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var all []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// inside returns the imports of this module as folders; "." is its root.
func inside(imports []string) []string {
	var own []string
	for _, i := range imports {
		if i == module {
			own = append(own, ".")
		} else if folder, ok := strings.CutPrefix(i, module+"/"); ok {
			own = append(own, folder)
		}
	}
	return own
}

func TestImportsAreThoseOfTheTable(t *testing.T) {
	rows := table(t)
	used := map[string]bool{}
	all := packages(t)
	if len(rows) < 30 || len(all) < 50 {
		t.Fatalf("%d rows and %d packages: the test reads too little", len(rows), len(all))
	}
	for _, p := range all {
		name := inside([]string{p.ImportPath})[0]
		if testHelper(name) || !strings.Contains(name, "/") && name != "." && name != "dataset" && name != "client" {
			continue
		}
		r, ok := rowOf(rows, name)
		if !ok {
			if len(inside(p.Imports)) > 0 {
				t.Errorf("%s has no row in docs/architecture.md", name)
			}
			continue
		}
		used[r.name] = true
		for _, i := range inside(p.Imports) {
			if !slices.ContainsFunc(r.imports, func(allowed string) bool { return covers(allowed, i) }) {
				t.Errorf("%s imports %s, which its row in docs/architecture.md does not name", name, i)
			}
		}
	}
	for _, r := range rows {
		if !used[r.name] {
			t.Errorf("docs/architecture.md names %s, which is no package", r.name)
		}
		for _, allowed := range r.imports {
			if !slices.ContainsFunc(all, func(p pkg) bool { return covers(allowed, inside([]string{p.ImportPath})[0]) }) {
				t.Errorf("docs/architecture.md allows %s to import %s, which is no package", r.name, allowed)
			}
		}
	}
}

// testHelper reports whether a package is for tests alone, as its name says.
func testHelper(name string) bool { return strings.HasSuffix(name, "test") }

// What the table says of tests, too.
func TestWallsHoldForTests(t *testing.T) {
	heldOut := []string{"internal/eval", "internal/audit", "internal/heldout"}
	for _, p := range packages(t) {
		name := inside([]string{p.ImportPath})[0]
		for _, i := range inside(p.Imports) {
			if testHelper(i) && !testHelper(name) {
				t.Errorf("%s imports %s, which is for tests", name, i)
			}
		}
		for _, i := range inside(slices.Concat(p.Imports, p.TestImports, p.XTestImports)) {
			if i == "internal/heldout" && !slices.Contains(heldOut, name) {
				t.Errorf("%s imports internal/heldout: only eval and audit may", name)
			}
			if i == "internal/cli" && !strings.HasPrefix(name, "cmd/") && !strings.HasPrefix(name, "scripts/") && name != "internal/cli" {
				t.Errorf("%s imports internal/cli", name)
			}
		}
	}
}
