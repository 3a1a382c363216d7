package amazon

import (
	"html"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
)

// Tags that shop texts are written with. A "<" before any other name is a character
// of the text ("size <m>").
var (
	inlineTags = set("a abbr b big em font i label s small span strong sub sup tt u")
	blockTags  = set("article blockquote body br button center code dd div dl dt embed form h1 h2 h3 h4 h5 h6 head hr html iframe img input li link map meta noscript object ol option p param pre script section select style table tbody td textarea tfoot th thead title tr ul video")
)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// plain makes one line of plain text of what a shop's page source says: entities
// resolved (twice, since many are escaped twice), tags and comments taken out, scripts
// and styles with their content, white space collapsed. dirty says that characters had
// to be replaced.
func plain(s string) (text string, dirty bool) {
	s, dirty = dataset.CleanText(s)
	for range 2 {
		if !strings.Contains(s, "&") {
			break
		}
		s = html.UnescapeString(s)
	}
	if strings.Contains(s, "<") {
		s = stripTags(s)
	}
	s, again := dataset.CleanText(s) // entities can stand for control characters
	return strings.Join(strings.Fields(s), " "), dirty || again
}

func stripTags(s string) string {
	var out strings.Builder
	for {
		i := strings.IndexByte(s, '<')
		if i < 0 {
			out.WriteString(s)
			return out.String()
		}
		out.WriteString(s[:i])
		s = s[i:]
		if strings.HasPrefix(s, "<!--") {
			_, rest, closed := strings.Cut(s, "-->")
			if !closed {
				return out.String()
			}
			s = rest
			continue
		}
		name, length := tag(s)
		switch {
		case length == 0:
			out.WriteByte('<')
			s = s[1:]
			continue
		case blockTags[name]:
			out.WriteByte(' ')
		}
		closing := s[1] == '/'
		s = s[length:]
		if !closing && (name == "script" || name == "style") {
			s = afterElement(s, name)
		}
	}
}

// tag returns the name and length of the known tag s starts with, or length 0.
func tag(s string) (name string, length int) {
	from := 1
	if len(s) > 1 && s[1] == '/' {
		from = 2
	}
	to := from
	for to < len(s) && to-from < 12 && (s[to] >= 'a' && s[to] <= 'z' || s[to] >= 'A' && s[to] <= 'Z' || to > from && s[to] >= '1' && s[to] <= '6') {
		to++
	}
	name = strings.ToLower(s[from:to])
	if !inlineTags[name] && !blockTags[name] || to == len(s) || !strings.ContainsRune(" \t\r\n/>", rune(s[to])) {
		return "", 0
	}
	end := strings.IndexByte(s[to:], '>')
	if end < 0 || end > 4096 {
		return "", 0 // a "<b" that is never closed is text
	}
	return name, to + end + 1
}

// afterElement returns what follows the end of a script or style element. An element
// that never ends takes nothing with it but its tag.
func afterElement(s, name string) string {
	low := strings.ToLower(s)
	if len(low) != len(s) { // some letters change length with their case
		return s
	}
	i := strings.Index(low, "</"+name)
	if i < 0 {
		return s
	}
	if end := strings.IndexByte(s[i:], '>'); end >= 0 {
		return s[i+end+1:]
	}
	return ""
}
