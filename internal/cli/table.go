package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// table prints rows under a header, columns aligned.
func table(w io.Writer, header []string, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(t, strings.Join(header, "\t"))
	for _, r := range rows {
		fmt.Fprintln(t, printable(strings.Join(r, "\t")))
	}
	t.Flush() //nolint:errcheck // a closed pipe has nobody to tell
}

// printable takes from a text what steers a terminal: ids, titles and the messages of
// servers are strangers' words.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if steers(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}

// steers reports whether a letter does something to a terminal other than to stand there.
func steers(r rune) bool {
	return r != '\n' && r != '\t' && unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)
}

// people is an output that people read: nothing that is written to it steers their terminal.
// Where the command prints JSON, which escapes such letters itself, it stays as it is.
type people struct {
	io.Writer
	json *bool
}

// forPeople returns w for people, with its descriptor if it has one.
func forPeople(w io.Writer, json *bool) io.Writer {
	p := people{w, json}
	if f, ok := w.(described); ok {
		return struct {
			people
			described
		}{p, f}
	}
	return p
}

// Write implements io.Writer. Letters that begin in one Write and end in another stay whole.
func (p people) Write(b []byte) (int, error) {
	if *p.json {
		return p.Writer.Write(b)
	}
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r != utf8.RuneError && steers(r) {
			out = utf8.AppendRune(out, unicode.ReplacementChar)
		} else {
			out = append(out, b[i:i+n]...)
		}
		i += n
	}
	if _, err := p.Writer.Write(out); err != nil {
		return 0, err
	}
	return len(b), nil
}

// clip shortens s to n runes, on one line.
func clip(s string, n int) string {
	r := []rune(printable(strings.Join(strings.Fields(s), " ")))
	if len(r) <= n {
		return string(r)
	}
	return string(r[:n-1]) + "…"
}

func metric(v float64) string { return fmt.Sprintf("%.4f", v) }
