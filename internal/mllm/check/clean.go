package check

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/mllmrec/mllmrec/internal/secret"
)

var (
	preamble = regexp.MustCompile(`(?i)^(sure|certainly|of course|okay|ok|absolutely|here('s| is| are))\b[^\n]{0,160}:\s*\n+`)
	blanks   = regexp.MustCompile(`\n{3,}`)
)

// Clean removes from the text of a response what is not part of the answer:
//
//   - the reasoning of thinking models, in all notations of reasoning.go (all before a stray
//     closing mark, whose opening one stood in the prompt; all after an opening mark that is
//     never closed),
//   - the marks around an answer, control tokens that a server let through, and what stands
//     behind the end of the model's turn,
//   - a code fence or a pair of quotation marks around the whole answer,
//   - a first line such as "Sure, here is the description:" if it ends with a colon and an
//     answer follows,
//   - control characters, invalid UTF-8, white space around the answer and more than one
//     empty line in a row,
//   - secrets.
//
// Emphasis, lists and headings are kept.
func Clean(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.ReplaceAll(text, "\r\n", "\n")
	text = strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || !unicode.IsControl(r) {
			return r
		}
		return -1
	}, text)
	text = strings.TrimSpace(withoutMarks(text))
	text = strings.TrimSpace(preamble.ReplaceAllString(text, ""))
	text = unquote(unfence(text))
	text = blanks.ReplaceAllString(strings.TrimSpace(text), "\n\n")
	return secret.Redact(text) // of which the parts may have stood around what is removed
}

// unfence removes a code fence around the whole text.
func unfence(text string) string {
	const fence = "```"
	if !strings.HasPrefix(text, fence) || !strings.HasSuffix(text, fence) || strings.Count(text, fence) != 2 {
		return text
	}
	first, rest, ok := strings.Cut(strings.TrimSuffix(text, fence), "\n")
	if !ok || strings.ContainsAny(strings.TrimPrefix(first, fence), " \t") { // not the name of a language
		return text
	}
	return strings.TrimSpace(rest)
}

// unquote removes quotation marks around the whole text.
func unquote(text string) string {
	for _, pair := range [][2]string{{`"`, `"`}, {"“", "”"}, {"「", "」"}} {
		inner, ok := strings.CutPrefix(text, pair[0])
		if !ok {
			continue
		}
		inner, ok = strings.CutSuffix(inner, pair[1])
		if ok && !strings.Contains(inner, pair[0]) && !strings.Contains(inner, pair[1]) {
			return strings.TrimSpace(inner)
		}
	}
	return text
}
