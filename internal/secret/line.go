package secret

import (
	"net/url"
	"regexp"
	"strings"
)

var (
	// A password that should have been escaped may hold anything: it ends at the last @ of
	// the word.
	inURL = regexp.MustCompile(`([A-Za-z][A-Za-z0-9+.-]*://[^\s/@:?#"']*:)([^\s"'<>]*)@`)
	inDSN = regexp.MustCompile(`(?i)((?:^|[\s?&;])(?:password|passwd|pwd|sslpassword|token|api[_-]?key|key|(?:[a-z-]*[-_])?signature|x-amz-(?:credential|security-token))\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&;]+)`)
)

// Line redacts a command line or an address before it is stored or shown: besides what is
// registered, passwords in URLs and in settings of databases, which nobody may have
// registered yet. It leaves no control characters.
func Line(s string) string {
	s = inURL.ReplaceAllString(s, "${1}"+Redacted+"@")
	s = Redact(inDSN.ReplaceAllString(s, "${1}"+Redacted))
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r <= 0x9f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return ' '
		}
		return r
	}, s)
}

// Learn registers the passwords that a command line, a setting or an address holds.
func Learn(s string) {
	for _, m := range inURL.FindAllStringSubmatch(s, -1) {
		learn(m[2])
	}
	for _, m := range inDSN.FindAllStringSubmatch(s, -1) {
		learn(strings.ReplaceAll(strings.Trim(m[2], "'"), `\'`, "'"))
	}
}

func learn(value string) {
	Register(value)
	if plain, err := url.PathUnescape(value); err == nil {
		Register(plain)
	}
}

// named are the names of environment variables that hold secrets.
var named = regexp.MustCompile(`(?i)(^|_)(API_?KEY|[A-Z]*KEY|TOKEN|SECRET|PASSWORD|PASSWD|PGPASSWORD)$`)

// LearnEnvironment registers what stands in variables with the names of secrets, so that an
// answer that was stored with one is not shown, whoever asks. environ is as os.Environ
// returns it. What looks like a path is none.
func LearnEnvironment(environ []string) {
	for _, e := range environ {
		name, value, _ := strings.Cut(e, "=")
		if value = strings.TrimSpace(value); named.MatchString(name) && value != "" && !strings.ContainsAny(value[:1], `/.~\`) {
			Register(value)
		}
	}
}
