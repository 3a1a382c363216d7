package manual

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// manPage is a command's man page. It carries no date, so that the same commands give
// the same bytes.
func manPage(cmd *cobra.Command, codes []ExitCode) string {
	var b strings.Builder
	fmt.Fprintf(&b, ".TH \"%s\" \"1\" \"\" \"%s\" \"User commands\"\n", strings.ToUpper(fileName(cmd)), cmd.Root().Name())
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(fileName(cmd)), roff(strings.TrimSuffix(cmd.Short, ".")))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n.SH DESCRIPTION\n", roff(cmd.UseLine()))
	for i, part := range blocks(description(cmd)) {
		if i > 0 {
			b.WriteString(".PP\n")
		}
		if part.laidOut {
			laidOut(&b, part.text)
		} else {
			b.WriteString(roff(part.text) + "\n")
		}
	}
	options(&b, "OPTIONS", rows(cmd.NonInheritedFlags()))
	options(&b, "OPTIONS OF ALL COMMANDS", rows(cmd.InheritedFlags()))
	if cmd.HasExample() {
		b.WriteString(".SH EXAMPLES\n")
		laidOut(&b, cmd.Example)
	}
	b.WriteString(".SH EXIT STATUS\n")
	for _, c := range codes {
		fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", fmt.Sprint(c.Code), roff(c.Meaning))
	}
	if others := related(cmd); len(others) > 0 {
		var names []string
		for _, other := range others {
			names = append(names, fmt.Sprintf("\\fB%s\\fP(1)", roff(fileName(other))))
		}
		b.WriteString(".SH SEE ALSO\n" + strings.Join(names, ", ") + "\n")
	}
	return b.String()
}

func laidOut(b *strings.Builder, text string) {
	fmt.Fprintf(b, ".RS 2\n.nf\n%s\n.fi\n.RE\n", roff(outdent(text)))
}

func options(b *strings.Builder, title string, flags []flagRow) {
	if len(flags) == 0 {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	for _, f := range flags {
		fmt.Fprintf(b, ".TP\n\\fB%s\\fP", roff(f.name))
		if f.kind != "" && f.kind != "bool" {
			fmt.Fprintf(b, " \\fI%s\\fP", roff(f.kind))
		}
		b.WriteString("\n" + roff(f.usage))
		if f.value != "" {
			fmt.Fprintf(b, " (default %s)", roff(f.value))
		}
		b.WriteByte('\n')
	}
}

// roff keeps a formatter from reading text as its own commands.
func roff(text string) string {
	text = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(strings.TrimRight(text, "\n"))
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, ".") || strings.HasPrefix(line, "'") {
			lines[i] = `\&` + line
		}
	}
	return ascii(strings.Join(lines, "\n"))
}

// ascii writes all other characters by their code point, which every formatter reads
// whatever its locale.
func ascii(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "\\[u%04X]", r)
		}
	}
	return b.String()
}
