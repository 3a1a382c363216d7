package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// page is a command's Markdown page.
func page(cmd *cobra.Command, codes []ExitCode) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n%s.\n\n```\n%s\n```\n", cmd.CommandPath(), cell(strings.TrimSuffix(cmd.Short, ".")), cmd.UseLine())
	if cmd.Long != "" {
		b.WriteByte('\n')
		for _, part := range blocks(cmd.Long) {
			if part.laidOut {
				fmt.Fprintf(&b, "```\n%s\n```\n\n", outdent(part.text))
			} else {
				fmt.Fprintf(&b, "%s\n\n", prose(part.text))
			}
		}
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\n## Examples\n\n```\n%s\n```\n", outdent(cmd.Example))
	}
	if subs := shown(cmd); len(subs) > 0 {
		b.WriteString("\n## Commands\n\n| command | |\n| --- | --- |\n")
		for _, sub := range subs {
			fmt.Fprintf(&b, "| [%s](%s.md) | %s |\n", sub.CommandPath(), fileName(sub), cell(sub.Short))
		}
	}
	flagTable(&b, "Flags", rows(cmd.NonInheritedFlags()))
	flagTable(&b, "Flags of all commands", rows(cmd.InheritedFlags()))
	b.WriteString("\n## Exit codes\n\n| code | |\n| --- | --- |\n")
	for _, c := range codes {
		fmt.Fprintf(&b, "| %d | %s |\n", c.Code, cell(c.Meaning))
	}
	if cmd.HasParent() {
		fmt.Fprintf(&b, "\nPart of [%s](%s.md).\n", cmd.Parent().CommandPath(), fileName(cmd.Parent()))
	}
	return squeeze(b.String())
}

func flagTable(b *strings.Builder, title string, flags []flagRow) {
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n| flag | type | default | |\n| --- | --- | --- | --- |\n", title)
	for _, f := range flags {
		value := f.value
		if value != "" {
			value = "`" + value + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", f.name, f.kind, strings.ReplaceAll(value, "|", `\|`), cell(f.usage))
	}
}

// cell is text that may stand in a table: on one line, nothing read as markup.
func cell(text string) string {
	return strings.ReplaceAll(prose(strings.Join(strings.Fields(text), " ")), "|", `\|`)
}

// prose keeps Markdown from reading text as markup.
func prose(text string) string {
	return strings.NewReplacer("<", "&lt;", "*", `\*`, "_", `\_`, "[", `\[`, "`", "\\`").Replace(text)
}

// squeeze leaves one empty line where there are several.
func squeeze(text string) string {
	for strings.Contains(text, "\n\n\n") {
		text = strings.ReplaceAll(text, "\n\n\n", "\n\n")
	}
	return text
}
