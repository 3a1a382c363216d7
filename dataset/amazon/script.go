package amazon

import (
	"regexp"
	"strings"
)

// pageParts are pieces of the shop's own pages, which stand where the crawler missed the
// text. Nobody writes them of a product.
var pageParts = []string{"getTime()", "ue_t0", "aPageStart", "P.when(", "P.register(", "window.ue", "ue_csm", "document.getElementById", "document.createElement", "document.write(",
	"addEventListener(", "amznJQ", "$(document).ready", "window.location", "function(){", "function () {", "#alohaBuyBox", "noscript{", "!important;"}

// codeLike are forms of script and style sheets that a text about programming may hold too.
var codeLike = []*regexp.Regexp{
	regexp.MustCompile(`\bvar\s+[\w$]+\s*=`),
	regexp.MustCompile(`\bfunction\s*[\w$]*\s*\([^)]*\)\s*\{`),
	regexp.MustCompile(`(^|[\s}>])[.#@]?[a-zA-Z][\w-]*(\s*[,>:]?\s*[.#]?[\w-]+)*\s*\{\s*[\w-]+\s*:[^}]*\}`),
	regexp.MustCompile(`\b(window|document)\.[a-zA-Z]+\s*[=(.]`),
}

// brandAlone takes the words of the page that stand around a brand in 2018 away: "Visit
// Amazon's … Page", and "by" on a line of its own.
func brandAlone(parts []string) []string {
	var alone []string
	for _, p := range parts {
		if by, rest, ok := strings.Cut(strings.TrimSpace(p), "\n"); ok && strings.TrimSpace(by) == "by" {
			p = rest
		}
		if name, ok := strings.CutPrefix(strings.TrimSpace(p), "Visit Amazon's "); ok && strings.HasSuffix(name, " Page") {
			p = strings.TrimSuffix(name, " Page")
		}
		alone = append(alone, p)
	}
	return alone
}

// isScript reports whether a short text is page script or a style sheet.
func isScript(s string) bool { return scriptSigns(s) > 0 }

// isScriptAlone reports it of a long text, in which a piece of code may be quoted.
func isScriptAlone(s string) bool { return scriptSigns(s) > 1 }

// scriptSigns counts what speaks for script: 2 for a piece of the shop's pages, 1 for each
// form of code.
func scriptSigns(s string) int {
	if !strings.ContainsAny(s, "{(=_#.") {
		return 0
	}
	if i := strings.IndexByte(s, '<'); i >= 0 && strings.Contains(s, "</") { // elements go with their content
		s, _ = plain(s)
	}
	for _, p := range pageParts {
		if strings.Contains(s, p) {
			return 2
		}
	}
	if len(s) > 64<<10 || !strings.ContainsAny(s, "{=") {
		return 0
	}
	signs := 0
	for _, form := range codeLike {
		if form.MatchString(s) {
			signs++
		}
	}
	return signs
}
