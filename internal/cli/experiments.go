package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/build"
	"github.com/mllmrec/mllmrec/internal/experiment"
	"github.com/mllmrec/mllmrec/internal/experiment/result"
	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// experimentFlags are those of compare, ablate and sweep.
type experimentFlags struct {
	name, out, protocol, choose, memory string
	seeds                               []string
	epochs, jobs, finalists             int
	dryRun                              bool
	stages                              *option.Set // options of the stages before training, as run has them
}

func (f *experimentFlags) add(cmd *cobra.Command, kind string) {
	flags := cmd.Flags()
	flags.StringVar(&f.name, "name", kind, "name of the experiment: its folder below experiments in the first workspace")
	flags.StringVar(&f.out, "out", "", "folder of the results (default: experiments/NAME in the first workspace); the same plan goes on there")
	flags.StringSliceVar(&f.seeds, "seeds", []string{"999"}, "random seeds; grids are searched with the first")
	flags.StringVar(&f.protocol, "protocol", experiment.Ours, "ours, or mmrec: batches of 2048, the selected metric rounded to four decimals")
	flags.StringVar(&f.choose, "select", "recall@20", "validation metric that chooses epochs, settings and the winner")
	flags.IntVar(&f.epochs, "epochs", 0, "largest number of epochs of every model (default: the trainer's)")
	flags.IntVar(&f.jobs, "jobs", 0, "trials at a time (default: as many as processors)")
	flags.StringVar(&f.memory, "memory", "", "memory that all trials together may hold, such as 8GB (default: three quarters of the machine's)")
	flags.BoolVar(&f.dryRun, "dry-run", false, "print what would be run; texts, vectors and graphs are made, no model is trained")
	o := build.New()
	f.stages = option.Of(&o.Writer, &o.Pictures, &o.Parts, &o.Long, &o.Preference, &o.Encoder, &o.Graph)
	f.stages.Defaults()
	bind(cmd, f.stages)
}

// plan fills in what the flags say.
func (f *experimentFlags) plan(p *experiment.Plan, dirs []string) error {
	p.Name, p.Data, p.Protocol, p.Select, p.Epochs, p.Finals, p.Options = f.name, dirs, f.protocol, f.choose, f.epochs, f.finalists, map[string]string{}
	for _, text := range f.seeds {
		seed, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return usererr.New("Give whole numbers, with commas between them.", "--seeds: %q is no seed", text)
		}
		p.Seeds = append(p.Seeds, seed)
	}
	for _, name := range f.stages.GivenNames() {
		p.Options[name] = f.stages.Text(name)
	}
	return nil
}

// pairsOf reads MODEL:KEY=VALUE of a flag; more tells whether a value is a list.
func pairsOf(flag string, texts []string, add func(model, key, value string) error) error {
	for _, text := range texts {
		name, rest, ok := strings.Cut(text, ":")
		key, value, has := strings.Cut(rest, "=")
		if !ok || !has || name == "" || key == "" || value == "" {
			return usererr.New("Write it as model:setting=value.", "--%s %q is not of that form", flag, text)
		}
		if err := add(name, key, value); err != nil {
			return err
		}
	}
	return nil
}

// bytesOf reads a size such as 8GB; 0 for "".
func bytesOf(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	units := map[string]float64{"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
	at := strings.IndexFunc(text, func(r rune) bool { return r != '.' && (r < '0' || r > '9') })
	if at < 0 {
		at = len(text)
	}
	n, err := strconv.ParseFloat(text[:at], 64)
	unit, known := units[strings.ToUpper(strings.TrimSpace(text[at:]))]
	if err != nil || !known || n <= 0 || n*unit < 1<<20 {
		return 0, usererr.New("Write it as 8GB or 512MB.", "--memory %q is no size", text)
	}
	return int64(n * unit), nil
}

// experiment carries a plan out and prints what it shows.
func (a *app) experiment(cmd *cobra.Command, f *experimentFlags, p *experiment.Plan) error {
	memory, err := bytesOf(f.memory)
	if err != nil {
		return err
	}
	if f.jobs < 0 {
		return usererr.New("Leave it out for as many as processors.", "--jobs %d", f.jobs)
	}
	dir := f.out
	if err := p.Check(); err != nil {
		return err
	}
	if dir == "" {
		dir = filepath.Join(p.Data[0], "experiments", p.Name)
	}
	if memory == 0 {
		memory = machineMemory() / 4 * 3
	}
	observe := onceEach(a.observer())
	x := &experiment.Experiment{Plan: p, Dir: dir, Command: commandLine(cmd), Jobs: f.jobs, Memory: memory, Trial: a.trial, Show: showTrials(observe),
		Open: func(dir string) (*stage.Session, error) { return a.openFor(dir, observe) },
		Note: func(format string, args ...any) {
			if observe != nil {
				observe(stage.Event{Stage: trialsStage, Message: usererr.SpellText(fmt.Sprintf(format, args...), flagName), End: true})
			}
		}}
	if f.dryRun {
		forecast, err := x.Forecast(cmd.Context())
		if err != nil {
			return err
		}
		if a.json {
			return a.emit(forecast)
		}
		printForecast(a.stdout, forecast)
		return nil
	}
	r, err := x.Run(cmd.Context())
	if err != nil {
		return err
	}
	if a.json {
		if err := a.emit(r); err != nil {
			return err
		}
	} else {
		printResult(a.stdout, r)
		fmt.Fprintf(a.stdout, "\nresults in %s; 'mllmrec report %s' draws them\n", dir, dir)
	}
	if len(r.Failed) > 0 {
		return usererr.New("The same command tries them again, and repeats none of the others.", "%d trials failed, the first: %s on %s: %s", len(r.Failed), r.Failed[0].Entry, r.Failed[0].Data, r.Failed[0].Error)
	}
	return nil
}

// commandLine is the command as it was typed, as far as it decides the result: where that is put and how much is
// said on the way does not.
func commandLine(cmd *cobra.Command) string {
	words := []string{cmd.CommandPath()}
	args := os.Args[1:]
	for n := 0; n < len(args); n++ {
		switch arg := args[n]; {
		case arg == cmd.Name(), arg == "-q", arg == "--quiet", arg == "--json", strings.HasPrefix(arg, "--out="):
		case arg == "--out":
			n++
		default:
			words = append(words, shellWord(arg))
		}
	}
	return strings.Join(words, " ")
}

func shellWord(s string) string {
	if strings.ContainsAny(s, " '\"$;&|<>()*?\\") {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

// trial runs a trial in a process of its own. The process ends when this one does: it reads a pipe that closes
// then.
func (a *app) trial(ctx context.Context, dir string, processors int, memory int64) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, self, trialCommand, dir)
	cmd.Args[0] = "mllmrec" // by this name, whatever the file is called
	cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(processors), trialName+"=1")
	if memory > 0 {
		cmd.Env = append(cmd.Env, "GOMEMLIMIT="+strconv.FormatInt(memory, 10))
	}
	var said strings.Builder
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	cmd.Cancel = in.Close // it is how the trial is told to stop: it keeps its epoch and ends
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start a trial: %w", err)
	}
	err = cmd.Wait()
	if err != nil && said.Len() > 0 {
		return errors.New(strings.TrimSpace(strings.TrimPrefix(said.String(), "mllmrec: ")))
	}
	return err
}

const (
	trialCommand = "experiment-trial"
	trialName    = "MLLMREC_TRIAL"
)

// trialCmd runs one trial of an experiment. It is for compare, ablate and sweep to call.
func (a *app) trialCmd() *cobra.Command {
	return &cobra.Command{
		Use:    trialCommand + " DIR",
		Short:  "Run one trial of an experiment: what compare, ablate and sweep start",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, cancel := context.WithCancel(cmd.Context())
			defer cancel()
			if os.Getenv(trialName) != "" {
				go func() {
					io.Copy(io.Discard, os.Stdin) //nolint:errcheck // the end is what counts
					cancel()
				}()
			}
			return experiment.RunTrial(ctx, args[0])
		},
	}
}

// trialsStage is what progress calls the trials of an experiment.
const trialsStage = "trials"

// showTrials returns what prints the progress of an experiment.
func showTrials(observe stage.Observer) func(experiment.Progress) {
	if observe == nil {
		return nil
	}
	return func(p experiment.Progress) {
		observe(stage.Event{Stage: trialsStage, Done: p.Done, Total: p.Total, Message: strings.Join(p.Running, " | "), Left: p.Left})
	}
}

// onceEach passes on what a stage says in the end the first time only: an experiment asks for the same vectors at every
// point of a grid, and finds them fresh.
func onceEach(observe stage.Observer) stage.Observer {
	if observe == nil {
		return nil
	}
	said := map[string]bool{}
	return func(e stage.Event) {
		key := e.Stage + " " + e.Message
		if e.End && said[key] {
			return
		}
		if e.End {
			said[key] = true
		}
		observe(e)
	}
}

func printForecast(w io.Writer, f *experiment.Forecast) {
	var rows [][]string
	for _, e := range f.Entries {
		each := "not timed yet"
		if e.Seconds > 0 {
			each = seconds(e.Seconds)
		}
		rows = append(rows, []string{printable(e.Data), printable(e.Entry), fmt.Sprint(e.Points), fmt.Sprint(e.Trials), each})
	}
	table(w, []string{"data", "entry", "points of the grid", "trials", "each"}, rows)
	for _, l := range f.LeftOut {
		fmt.Fprintf(w, "left out: %s on %s: %s\n", l.Entry, l.Data, printable(l.Reason))
	}
	fmt.Fprintf(w, "\n%d trials, of which %d have ended\n", f.Trials, f.Ended)
	if f.Seconds > 0 {
		fmt.Fprintf(w, "about %s for the others, %d at a time, by what trials and runs of these models took here\n", seconds(f.Seconds), f.Jobs)
	}
	if f.Untimed > 0 {
		fmt.Fprintf(w, "not counted: %d trials of models that nobody has timed on these data\n", f.Untimed)
	}
}

func printResult(w io.Writer, r *result.Result) {
	for _, d := range r.Data {
		fmt.Fprintf(w, "%s: %d users, %d items, %d interactions, split %s\n\n", printable(d.Name), d.Users, d.Items, d.Interactions, d.Split)
		var rows [][]string
		for _, row := range byValidation(r, d.Name) {
			rows = append(rows, []string{printable(row.Entry) + leakyMark(row.Leaky), spread(row.Valid[r.Select]), spread(row.Test["recall@10"]), spread(row.Test["recall@20"]),
				spread(row.Test["ndcg@10"]), spread(row.Test["ndcg@20"]), chosenText(row), seconds(row.Cost.TrainSeconds), fmt.Sprintf("%d MB", row.Cost.MemoryBytes>>20)})
		}
		table(w, []string{"", "valid " + r.Select, "R@10", "R@20", "N@10", "N@20", "chosen", "training", "memory"}, rows)
		rows = nil
		for _, c := range r.Contrasts {
			if c.Data == d.Name && (c.Metric == "recall@20" || c.Metric == "ndcg@20") {
				rows = append(rows, []string{c.Metric, printable(c.Other), fmt.Sprintf("%+.4f", c.Interval.Mean), fmt.Sprintf("%+.4f to %+.4f", c.Interval.Low, c.Interval.High),
					fmt.Sprintf("%.4f", c.Smallest), fmt.Sprintf("%.0f %%", 100*c.Tied), fmt.Sprintf("%.2g", c.Holm)})
			}
		}
		if len(rows) > 0 {
			fmt.Fprintf(w, "\n%s, first on validation, less each other, on test, user by user:\n\n", printable(byValidation(r, d.Name)[0].Entry))
			table(w, []string{"", "less", "difference", "95 % interval", "smallest found", "tied", "p (t, Holm)"}, rows)
		}
		fmt.Fprintln(w)
	}
	for _, l := range r.LeftOut {
		fmt.Fprintf(w, "left out: %s on %s: %s\n", printable(l.Entry), printable(l.Data), printable(l.Reason))
	}
}

func byValidation(r *result.Result, data string) (rows []result.Row) {
	for _, row := range r.Rows {
		if row.Data == data {
			rows = append(rows, row)
		}
	}
	slices.SortStableFunc(rows, func(a, b result.Row) int {
		va, vb := a.Valid[r.Select].Mean, b.Valid[r.Select].Mean
		switch {
		case va > vb:
			return -1
		case va < vb:
			return 1
		}
		return 0
	})
	return rows
}

func spread(s result.Spread) string {
	if len(s.Values) < 2 {
		return metric(s.Mean)
	}
	return fmt.Sprintf("%.4f ± %.4f", s.Mean, s.SD)
}

func chosenText(row result.Row) string {
	var all []string
	for key, value := range row.Chosen {
		all = append(all, key+"="+value)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(100 * time.Millisecond).String()
}

// machineMemory is how much memory the machine has, in bytes; 0 where it is not known.
func machineMemory() int64 {
	if runtime.GOOS != "linux" {
		return 0
	}
	raw, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	var kb int64
	if n, _ := fmt.Sscanf(string(raw), "MemTotal: %d kB", &kb); n == 0 {
		return 0
	}
	return kb << 10
}
