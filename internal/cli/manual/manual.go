// Package manual writes what a tree of commands says of itself as Markdown pages and as
// man pages. Everything comes from the commands: nothing here knows what they do.
package manual

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// ExitCode is one exit code of a command.
type ExitCode struct {
	Code    int
	Meaning string
}

// ExitCodes says which exit codes a command has.
type ExitCodes func(cmd *cobra.Command) []ExitCode

// WritePages writes one Markdown page a command into dir, and removes the pages of
// commands that are no longer there.
func WritePages(dir string, root *cobra.Command, codes ExitCodes) error {
	return write(dir, ".md", root, func(cmd *cobra.Command) string { return page(cmd, codes(cmd)) })
}

// WriteMan does the same with man pages of section 1.
func WriteMan(dir string, root *cobra.Command, codes ExitCodes) error {
	return write(dir, ".1", root, func(cmd *cobra.Command) string { return manPage(cmd, codes(cmd)) })
}

func write(dir, suffix string, root *cobra.Command, render func(*cobra.Command) string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	stale, err := filepath.Glob(filepath.Join(dir, root.Name()+"*"+suffix))
	if err != nil {
		return err
	}
	for _, path := range stale {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	for _, cmd := range commands(root) {
		if err := os.WriteFile(filepath.Join(dir, fileName(cmd)+suffix), []byte(render(cmd)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// commands returns cmd and all below it that a user is shown, in the order of the help.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range shown(cmd) {
		all = append(all, commands(sub)...)
	}
	return all
}

func shown(cmd *cobra.Command) []*cobra.Command {
	var subs []*cobra.Command
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			subs = append(subs, sub)
		}
	}
	return subs
}

// fileName is the command's path with hyphens: mllmrec-import-tables.
func fileName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// A flagRow is one flag as a table shows it.
type flagRow struct{ name, kind, value, usage string }

// rows returns the flags of a set in alphabetical order, hidden ones left out.
func rows(flags *pflag.FlagSet) []flagRow {
	var all []flagRow
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Deprecated != "" {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		if kind == "" && f.Value.Type() == "bool" {
			kind = "bool"
		}
		name := "--" + f.Name
		if f.Shorthand != "" && f.ShorthandDeprecated == "" {
			name = "-" + f.Shorthand + ", " + name
		}
		all = append(all, flagRow{name, kind, defaultOf(f), usage})
	})
	slices.SortFunc(all, func(a, b flagRow) int {
		return strings.Compare(strings.TrimLeft(a.name, "-"), strings.TrimLeft(b.name, "-"))
	})
	return all
}

// defaultOf leaves out defaults that mean "not given".
func defaultOf(f *pflag.Flag) string {
	switch f.DefValue {
	case "", "[]", "0", "0s", "false":
		return ""
	}
	return f.DefValue
}

// A block is a paragraph of a command's description, or lines that were laid out by hand.
type block struct {
	text    string
	laidOut bool
}

// blocks splits a description at empty lines and where indentation begins or ends.
func blocks(text string) []block {
	var out []block
	joined := false // whether the next line belongs to the last block
	for _, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			joined = false
			continue
		}
		laidOut := strings.HasPrefix(line, "  ")
		if joined && out[len(out)-1].laidOut == laidOut {
			out[len(out)-1].text += "\n" + line
		} else {
			out = append(out, block{line, laidOut})
		}
		joined = true
	}
	return out
}

// description is the long text, or the short one as a sentence.
func description(cmd *cobra.Command) string {
	if cmd.Long != "" {
		return cmd.Long
	}
	return strings.TrimSuffix(cmd.Short, ".") + "."
}

// outdent removes the spaces that all lines begin with.
func outdent(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	least := -1
	for _, line := range lines {
		if n := len(line) - len(strings.TrimLeft(line, " ")); strings.TrimSpace(line) != "" && (least < 0 || n < least) {
			least = n
		}
	}
	for i, line := range lines {
		lines[i] = line[min(max(least, 0), len(line)):]
	}
	return strings.Join(lines, "\n")
}

func related(cmd *cobra.Command) []*cobra.Command {
	var all []*cobra.Command
	if cmd.HasParent() {
		all = append(all, cmd.Parent())
	}
	return append(all, shown(cmd)...)
}
