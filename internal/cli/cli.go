// Package cli is the command line: one file a subcommand, flags in, calls to the
// library, tables and progress out. It holds no logic that a library user would miss.
//
// The package is longer than 2,000 lines because there are some thirty commands, which
// share flags, tables and progress and have nothing else to say to each other: folders for
// some of them would only export what is shared.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/encoder/hub"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/stage/asking"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

// Exit codes, part of the interface.
const (
	exitOK          = 0
	exitFailure     = 1   // something broke
	exitUser        = 2   // the user can mend it
	exitNotProvable = 4   // a file is not what was recorded; audit's verdict too, as is 3: leaky
	exitInterrupted = 130 // Ctrl-C or SIGTERM
)

// gcPercent keeps a run's memory near the size of its matrices: most of the heap lives
// as long as the run, so collecting sooner costs little.
const gcPercent = 50

// app is what every subcommand shares.
type app struct {
	stdout, stderr io.Writer
	bare           io.Writer // standard output that shows secrets: for what makes one and shows it once
	json           bool
	quiet          bool
	config         string
	dir            string // workspace of the command, once it is open; for hints
	exit           int    // set by a command that succeeded with a verdict
}

// Main runs the command line args (without the program's name) and returns the
// exit code. It can be called in-process.
func Main(args []string, stdout, stderr io.Writer) int {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // the second interrupt ends the process at once
	return run(ctx, args, stdout, stderr)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	bare := stdout
	stdout, stderr = secret.Writer(stdout), secret.Writer(stderr) // what a library says of a key or a password, too
	secret.LearnEnvironment(os.Environ())
	for _, arg := range args {
		secret.Learn(arg)
	}
	a := &app{stderr: stderr, bare: bare}
	a.stdout = forPeople(stdout, &a.json)
	root := a.root()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	stop := a.tellOfInterrupt(ctx)
	err := root.ExecuteContext(ctx)
	stop()
	if err == nil {
		return a.exit
	}
	return a.report(err)
}

// report prints err as people or machines want it and picks the exit code.
func (a *app) report(err error) int {
	code := exitFailure
	message := usererr.Spell(err, flagName)
	hint, mine := usererr.SpellHint(err, flagName)
	var left *asking.LeftToWorkers
	if absent := new(hub.AbsentError); errors.As(err, &absent) {
		hint += " The command is: mllmrec model pull " + absent.Model
	}
	if ws := usererr.WorkspaceOf(err); ws != "" {
		hint += " To look and agree: mllmrec trust " + ws
	}
	switch {
	case errors.As(err, &left):
		code, hint = exitInterrupted, a.leftToWorkers(left)
	case usererr.KindOf(err) == usererr.KindNotProvable:
		code = exitNotProvable
		if stage := usererr.StageOf(err); stage != "" {
			hint = a.runFirst(stage, hint)
		}
	case usererr.StageOf(err) != "":
		code, hint = exitUser, a.runFirst(usererr.StageOf(err), hint)
	case errors.Is(err, context.Canceled):
		code = exitInterrupted
		hint = "What was finished is kept; the same command goes on from there."
	case mine:
		code = exitUser
	case strings.HasPrefix(err.Error(), "required flag(s)"): // cobra has no type for it
		code, hint = exitUser, "See --help."
	case errors.Is(err, os.ErrPermission), errors.Is(err, os.ErrNotExist):
		code = exitUser
	}
	if a.json {
		enc := json.NewEncoder(a.stderr)
		enc.SetEscapeHTML(false)
		enc.Encode(map[string]any{"error": message, "hint": hint, "exit_code": code}) //nolint:errcheck // nobody is left to tell
		return code
	}
	fmt.Fprintln(a.stderr, "mllmrec: "+printable(strings.TrimSpace(message)))
	if hint != "" {
		fmt.Fprintln(a.stderr, "  "+printable(hint))
	}
	return code
}

// stageCommands are the commands that run each stage by itself.
var stageCommands = map[string]string{"graph": "graph build"}

// runFirst names the command of a stage that has to run first.
func (a *app) runFirst(stage, hint string) string {
	if stage == workspace.StageImport {
		return fmt.Sprintf("%s For example: mllmrec import tables --interactions clicks.csv --out %s", hint, a.dir)
	}
	command := stage
	if c, ok := stageCommands[stage]; ok {
		command = c
	}
	return fmt.Sprintf("%s That is: mllmrec %s %s; 'mllmrec run' makes all that a model needs.", hint, command, a.dir)
}

// leftToWorkers names the ways on for a coordinator that was stopped.
func (a *app) leftToWorkers(left *asking.LeftToWorkers) string {
	return fmt.Sprintf("Run the same command again to collect their answers, or take back what no worker has begun: mllmrec worker withdraw %s --stage %s --store postgres://…", a.dir, left.Stage)
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "mllmrec",
		Short: "Recommend items from pictures, text and behaviour (MLLMRec)",
		Long: `mllmrec recommends items from pictures, text and behaviour, after the paper MLLMRec.

It describes each item's picture, writes each user's preference from the train
interactions only, turns both into vectors, smooths the item vectors over a refined
item graph, and trains two small towers that rank the whole catalogue.

  mllmrec demo                                          the whole job on a built-in shop
  mllmrec import microlens --pairs P.tsv --titles T.csv --out WS
  mllmrec run WS --mllm offline --encoder lsa           all stages, skipping what is fresh
  mllmrec recommend WS --user 42 -k 10

Exit codes: 0 done; 1 failure; 2 a mistake you can mend; 3 audit found a leak;
4 not provable: audit could not prove that there is none, or a file is not what was
recorded; 130 interrupted (nothing is lost).`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return a.applyConfig(cmd)
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVar(&a.json, "json", false, "one JSON object on standard output, errors as JSON on standard error")
	root.PersistentFlags().BoolVarP(&a.quiet, "quiet", "q", false, "no progress")
	root.PersistentFlags().StringVar(&a.config, "config", "", "config file (default: mllmrec.yaml in the workspace, else in the current folder); then that of your own configuration folder")
	root.SetFlagErrorFunc(flagError)
	root.SetUsageFunc(usage)
	root.AddCommand(
		a.importCmd(), a.runCmd(), a.describeCmd(), a.reasonCmd(), a.encodeCmd(), a.graphCmd(),
		a.trainCmd(), a.evaluateCmd(), a.compareCmd(), a.ablateCmd(), a.sweepCmd(), a.reportCmd(), a.trialCmd(), a.recommendCmd(), a.serveCmd(), a.retrainCmd(), a.abCmd(), a.keyCmd(), a.auditCmd(), a.statusCmd(), a.pruneCmd(),
		a.exportCmd(), a.feedbackCmd(), a.trustCmd(), a.promptCmd(), a.batchCmd(), a.workerCmd(), a.demoCmd(), a.embedCmd(), a.modelCmd(), a.versionCmd(),
	)
	userArgs(root)
	return root
}

// userArgs makes wrong positional arguments and unknown commands the user's errors.
func userArgs(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		userArgs(sub)
	}
	check := cmd.Args
	if check == nil {
		check = cobra.NoArgs
	}
	cmd.Args = func(c *cobra.Command, args []string) error {
		return usererr.Wrap(check(c, args), fmt.Sprintf("Usage: %s", c.UseLine()))
	}
}

// emit prints v as one indented JSON object.
func (a *app) emit(v any) error {
	enc := json.NewEncoder(a.stdout)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	return nil
}
