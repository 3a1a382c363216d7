package cli

import (
	"flag"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mllmrec/mllmrec/internal/workspace"
)

// patient runs more tests at a time than there are processors: those that are marked as
// parallel wait for servers, and for the time between two tries.
type patient struct{ *testing.M }

// Run implements testscript.TestingM.
func (p patient) Run() int {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	// What tests agree to is no part of the configuration of who runs them.
	dir, err := os.MkdirTemp("", "mllmrec-config-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	if err := os.Setenv("MLLMREC_CONFIG_DIR", dir); err != nil {
		panic(err)
	}
	return p.M.Run()
}

func TestMain(m *testing.M) {
	testscript.Main(patient{m}, map[string]func(){
		"mllmrec":     func() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) },
		"slow-server": func() { os.Exit(runSlowServer(os.Args[1])) },
		"run-batch":   func() { os.Exit(runBatch(os.Args[1], os.Args[2], os.Args[3])) },
	})
}

// TestScripts runs the command line as a user would, each script in a folder of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, Setup: setupScripts,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"timeless": timelessPages}})
}

// timelessPages takes out of pages what they mark as times, which they must.
func timelessPages(ts *testscript.TestScript, _ bool, pages []string) {
	for _, page := range pages {
		said := ts.ReadFile(page)
		if !markedTime.MatchString(said) {
			ts.Fatalf("%s marks no time", page)
		}
		ts.Check(os.WriteFile(ts.MkAbs(page), markedTime.ReplaceAll([]byte(said), nil), 0o644))
	}
}

// currentOf is the address of the artefact that commands use.
func currentOf(ws *workspace.Workspace, kind workspace.Kind) string {
	address, _, _ := ws.Current(kind)
	return address
}

// What people read has no control characters, in whatever pieces it is written; what
// programs read stays as it is.
func TestOutputForPeople(t *testing.T) {
	const said = "a\x1b[2Jb\u009bc\u202ed é 語\t\r\n"
	for json, want := range map[bool]string{false: "a\ufffd[2Jb\ufffdc\ufffdd é 語\t\ufffd\n", true: said} {
		var whole, pieces strings.Builder
		io.WriteString(forPeople(&whole, &json), said) //nolint:errcheck // a builder takes all
		w := forPeople(&pieces, &json)
		for _, piece := range []string{said[:len(said)-5], said[len(said)-5 : len(said)-4], said[len(said)-4:]} { // cuts 語
			io.WriteString(w, piece) //nolint:errcheck // a builder takes all
		}
		if whole.String() != want || pieces.String() != want {
			t.Errorf("json %v: %q, in pieces %q", json, whole.String(), pieces.String())
		}
	}
}
