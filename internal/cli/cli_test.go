package cli

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/mllmrec/mllmrec/internal/workspace"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"mllmrec":     func() { os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr)) },
		"slow-server": func() { os.Exit(runSlowServer(os.Args[1])) },
		"run-batch":   func() { os.Exit(runBatch(os.Args[1], os.Args[2], os.Args[3])) },
	})
}

// TestScripts runs the command line as a user would, each script in a folder of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/script", RequireExplicitExec: true, Setup: setupScripts})
}

// currentOf is the address of the artefact that commands use.
func currentOf(ws *workspace.Workspace, kind workspace.Kind) string {
	address, _, _ := ws.Current(kind)
	return address
}
