package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

type boundOptions struct {
	Encoder string `option:"encoder" doc:"text encoder" choices:"lsa,tei" default:"lsa"`
	Dim     int    `option:"dim" doc:"dimensions of a vector" default:"384" min:"1" if:"encoder=lsa"`
	Model   string `option:"encoder-model" old:"model" doc:"name of the model" if:"encoder=tei"`
	Server  struct {
		URLs    []string      `option:"encoder-url" old:"base-url,url" doc:"address of the server"`
		Timeout time.Duration `option:"timeout" doc:"time limit of a request"`
		Keep    bool          `option:"keep" old:"hold" doc:"reuse of connections"`
	} `group:"Servers" if:"encoder=tei"`
	Denoise bool `option:"denoise" doc:"removal of weak edges" default:"true" group:"Graph"`
}

// boundCall runs a command with bound options as the program runs its own, and returns
// the exit code, the options and what was printed.
func boundCall(t *testing.T, prepare func(*cobra.Command), args ...string) (int, boundOptions, *option.Set, string, string) {
	t.Helper()
	var opt boundOptions
	set := option.Of(&opt)
	var stdout, stderr bytes.Buffer
	a := &app{stdout: &stdout, stderr: &stderr}
	root := a.root()
	cmd := &cobra.Command{Use: "bound", Example: "  mllmrec bound", RunE: func(*cobra.Command, []string) error {
		if err := set.Check(); err != nil {
			return err
		}
		return a.emit(set.Record())
	}}
	if prepare != nil {
		prepare(cmd)
	}
	cmd.Flags().Bool("force", false, "do it anew")
	bind(cmd, set)
	root.AddCommand(cmd)
	root.SetArgs(append([]string{"bound"}, args...))
	root.SetOut(&stdout)
	root.SetErr(&stderr)
	code := exitOK
	if err := root.Execute(); err != nil {
		code = a.report(err)
	}
	return code, opt, set, stdout.String(), stderr.String()
}

func TestBoundFlagsSetOptions(t *testing.T) {
	code, opt, set, _, stderr := boundCall(t, nil, "--encoder", "tei", "--encoder-url", "http://a,b", "--encoder-url=http://c", "--timeout", "90s", "--keep", "--denoise=false")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if opt.Encoder != "tei" || opt.Dim != 384 || !slices.Equal(opt.Server.URLs, []string{"http://a,b", "http://c"}) || opt.Server.Timeout != 90*time.Second || !opt.Server.Keep || opt.Denoise {
		t.Errorf("%+v", opt)
	}
	if set.Given("dim") || !set.Given("denoise") {
		t.Errorf("given: %v", set.GivenNames())
	}
}

func TestBoundFlagsReportMistakes(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--dim", "0"}, "mllmrec: --dim must be at least 1, not 0\n  See 'mllmrec bound --help'.\n"},
		{[]string{"--encoder", "bert"}, "mllmrec: --encoder must be lsa or tei, not \"bert\"\n  See 'mllmrec bound --help'.\n"},
		{[]string{"--dim", "2", "--encoder", "tei"}, "mllmrec: --dim has no effect with --encoder tei\n  It belongs to --encoder lsa.\n"},
		{[]string{"--keep"}, "mllmrec: --keep has no effect with --encoder lsa\n  It belongs to --encoder tei.\n"},
		{[]string{"--colour", "red"}, "mllmrec: unknown flag: --colour\n  See 'mllmrec bound --help'.\n"},
		{[]string{"--hold=maybe"}, "--hold is the old name of --keep\nmllmrec: --keep must be true or false, not \"maybe\"\n  See 'mllmrec bound --help'.\n"},
	} {
		code, _, _, stdout, stderr := boundCall(t, nil, c.args...)
		if code != exitUser || stderr != c.want || stdout != "" {
			t.Errorf("%v: exit %d, %q, %q", c.args, code, stderr, stdout)
		}
	}
	_, _, _, _, stderr := boundCall(t, nil, "--json", "--dim", "2", "--encoder", "tei")
	if want := `{"error":"--dim has no effect with --encoder tei","exit_code":2,"hint":"It belongs to --encoder lsa."}` + "\n"; stderr != want {
		t.Errorf("as JSON: %s", stderr)
	}
}

func TestOldFlagNamesSetTheOptionAndSaySo(t *testing.T) {
	code, opt, set, stdout, stderr := boundCall(t, nil, "--json", "--encoder", "tei", "--model", "m", "--url", "http://a", "--url", "http://b", "--base-url", "http://c", "--hold")
	if code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if opt.Model != "m" || !slices.Equal(opt.Server.URLs, []string{"http://a", "http://b", "http://c"}) || !opt.Server.Keep || !set.Given("encoder-model") {
		t.Errorf("%+v", opt)
	}
	want := "--model is the old name of --encoder-model\n--url is the old name of --encoder-url\n--base-url is the old name of --encoder-url\n--hold is the old name of --keep\n"
	if stderr != want {
		t.Errorf("said %q", stderr)
	}
	if !strings.HasPrefix(stdout, "{") {
		t.Errorf("standard output is no JSON: %q", stdout)
	}
}

func TestACommandsOwnFlagKeepsItsName(t *testing.T) {
	var own *string
	code, opt, _, _, stderr := boundCall(t, func(cmd *cobra.Command) { own = cmd.Flags().String("model", "", "recommender") }, "--model", "bpr")
	if code != exitOK || *own != "bpr" || opt.Model != "" || stderr != "" {
		t.Errorf("exit %d, %q, %+v, %q", code, *own, opt, stderr)
	}
}

func TestConfigFilesGiveOptions(t *testing.T) {
	config := filepath.Join(t.TempDir(), "c.yaml")
	call := func(text string, args ...string) (int, boundOptions, *option.Set, string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		code, opt, set, _, stderr := boundCall(t, nil, append(args, "--config", config)...)
		return code, opt, set, stderr
	}
	code, opt, set, stderr := call("bound: {encoder: tei, model: old, encoder-url: [a, b], keep: true}", "--encoder-model", "typed")
	if code != exitOK || opt.Model != "typed" || !slices.Equal(opt.Server.URLs, []string{"a", "b"}) || !opt.Server.Keep {
		t.Errorf("exit %d, %+v: %s", code, opt, stderr)
	}
	if !set.Given("encoder-url") || !strings.Contains(stderr, "--model is the old name of --encoder-model") {
		t.Errorf("given %v, said %q", set.GivenNames(), stderr)
	}
	if code, _, _, stderr = call("bound: {encoder: tei, dim: 7}"); code != exitUser || !strings.Contains(stderr, "--dim has no effect with --encoder tei") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, opt, _, stderr = call("bound: {dim: 7}", "--encoder", "tei"); code != exitOK || opt.Dim == 7 {
		t.Errorf("exit %d, %+v: %s", code, opt, stderr)
	}
	if code, _, _, stderr = call("bound: {dim: 0}"); code != exitUser || !strings.Contains(stderr, "--dim must be at least 1, not 0") || strings.Contains(stderr, "option") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

const boundHelp = `Usage:
  mllmrec bound [flags]

Examples:
  mllmrec bound

Flags:
      --force                  do it anew
      --encoder string         text encoder: lsa or tei (default "lsa")
      --dim int                dimensions of a vector; only with --encoder lsa (default 384)
      --encoder-model string   name of the model; only with --encoder tei
  -h, --help                   help for bound

Servers:
      --encoder-url strings   address of the server; may be repeated; only with --encoder tei
      --timeout duration      time limit of a request; only with --encoder tei
      --keep                  reuse of connections; only with --encoder tei

Graph:
      --denoise   removal of weak edges (default true)

Global flags:
`

func TestHelpShowsFlagsByGroup(t *testing.T) {
	code, _, _, stdout, _ := boundCall(t, nil, "--help")
	if code != exitOK || !strings.HasPrefix(stdout, boundHelp) {
		t.Errorf("exit %d:\n%s", code, stdout)
	}
	if !strings.HasSuffix(strings.TrimSpace(stdout), "no progress") {
		t.Errorf("the flags of all commands are not last:\n%s", stdout)
	}
}

func TestBindLeavesOutWhatIsExcepted(t *testing.T) {
	var opt boundOptions
	cmd := &cobra.Command{Use: "x"}
	bind(cmd, option.Of(&opt), "dim", "encoder-model")
	for name, want := range map[string]bool{"dim": false, "encoder-model": false, "model": false, "encoder": true, "keep": true, "hold": true} {
		if got := cmd.Flags().Lookup(name) != nil; got != want {
			t.Errorf("--%s: %v", name, got)
		}
	}
	if opt.Dim != 384 {
		t.Error("no default without a flag")
	}
}

func TestFlagErrorKeepsAnOptionsHint(t *testing.T) {
	err := flagError(&cobra.Command{Use: "x"}, usererr.New("Do this.", "wrong"))
	if hint, _ := usererr.Hint(err); hint != "Do this." {
		t.Errorf("hint %q", hint)
	}
}
