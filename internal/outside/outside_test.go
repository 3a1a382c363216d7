package outside

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const want = `imported 60 users, 40 items, 480 interactions
not ready: first train
built bpr and hybrid; the latter took 5 stages
user: mug, mug; chosen together
history: lamp, lamp; chosen together
sentence: tent, tent; same words
unknown: unknown user "c99" (For somebody never seen, ask by a history of items or by a sentence.)
mistake
bad row, line 3
failure: write the list: permission denied
`

func TestAProgramOutsideTheModule(t *testing.T) {
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go tool on the path, so the program cannot be built: ", err)
	}
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(filepath.Join("testdata", "client"))); err != nil {
		t.Fatal(err)
	}
	completeModule(t, dir)
	cmd := exec.CommandContext(t.Context(), tool, "run", ".")
	cmd.Dir = dir
	// What the module requires is in the module cache, for this test itself needs it.
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOWORK=off", "GOPROXY=off")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("go run: %v\n%s%s", err, &out, &errs)
	}
	if out.String() != want {
		t.Errorf("the program prints\n%s\nwant\n%s", &out, want)
	}
}

// completeModule gives the program's module what 'go mod tidy' would: the requirements of
// the library, with their checksums. It also makes the way to the library absolute.
func completeModule(t *testing.T, dir string) {
	t.Helper()
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	read := func(path string) string {
		raw, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(raw)
	}
	const relative = "=> ../../../.."
	own, library := read(filepath.Join(dir, "go.mod")), read(filepath.Join(root, "go.mod"))
	at := strings.Index(library, "\nrequire")
	if at < 0 || !strings.Contains(own, relative) {
		t.Fatalf("a go.mod is not as this test knows it:\n%s\n%s", own, library)
	}
	own = strings.Replace(own, relative, `=> "`+filepath.ToSlash(root)+`"`, 1) + library[at:]
	for name, text := range map[string]string{"go.mod": own, "go.sum": read(filepath.Join(root, "go.sum"))} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
