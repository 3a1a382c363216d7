package cli

import (
	"io"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/cli/manual"
)

// WriteReference writes what the commands say of themselves: Markdown pages into the
// folder pages, man pages into the folder man. An empty name leaves that kind out.
func WriteReference(pages, man string) error {
	root := commandTree()
	if pages != "" {
		if err := manual.WritePages(pages, root, exitCodes); err != nil {
			return err
		}
	}
	if man != "" {
		return manual.WriteMan(man, root, exitCodes)
	}
	return nil
}

// commandTree returns all commands, with those that cobra adds when it runs.
func commandTree() *cobra.Command {
	root := (&app{stdout: io.Discard, stderr: io.Discard}).root()
	root.InitDefaultCompletionCmd()
	for _, cmd := range withSubcommands(root) {
		cmd.InitDefaultHelpFlag()
	}
	return root
}

func withSubcommands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, sub := range cmd.Commands() {
		all = append(all, withSubcommands(sub)...)
	}
	return all
}

// exitCodes lists a command's exit codes; audit alone has verdicts.
func exitCodes(cmd *cobra.Command) []manual.ExitCode {
	codes := []manual.ExitCode{
		{Code: exitOK, Meaning: "done"},
		{Code: exitFailure, Meaning: "something broke"},
		{Code: exitUser, Meaning: "a mistake that you can mend; the message says how"},
	}
	if cmd.Name() == "audit" {
		codes = append(codes, manual.ExitCode{Code: 3, Meaning: "the audit found a leak"},
			manual.ExitCode{Code: 4, Meaning: "the audit could not prove that there is no leak, or a file is not what was recorded"})
	}
	return append(codes, manual.ExitCode{Code: exitInterrupted, Meaning: "interrupted; the same command goes on where it was"})
}
