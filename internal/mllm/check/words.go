package check

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// Words counts words: runs of letters and digits, with the marks inside them (don't,
// 3.5, T-shirt), as one each; a Chinese or Japanese character as one; and five letters
// of a script written without spaces (Thai, Lao, Khmer, Burmese) as one.
func Words(text string) int {
	n, unspaced := 0, 0
	for _, t := range tokens(text) {
		if first := []rune(t)[0]; unicode.In(first, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) {
			unspaced += len([]rune(t))
			continue
		}
		n++
	}
	return n + (unspaced+4)/5
}

// tokens splits text into lower-case words; ideographs and kana stand alone.
func tokens(text string) []string {
	var out []string
	var word strings.Builder
	flush := func() {
		if w := strings.TrimRight(word.String(), "'’.,-_"); w != "" {
			out = append(out, w)
		}
		word.Reset()
	}
	for _, r := range strings.ToLower(text) {
		switch {
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			flush()
			out = append(out, string(r))
		case unicode.IsLetter(r), unicode.IsDigit(r), unicode.IsMark(r):
			word.WriteRune(r)
		case strings.ContainsRune("'’.,-_", r) && word.Len() > 0:
			word.WriteRune(r)
		default:
			flush()
		}
	}
	flush()
	return out
}

// loops reports whether an answer repeats itself: one character over and over, the same
// passage four times in a row at the end, one clause three times wherever it stands, or, in sixty words or more, hardly any sequence of
// three words that occurs only once.
func loops(text string, words []string) string {
	const signs = 40
	row, last := 0, rune(-1)
	for _, r := range text {
		if r != last || unicode.IsSpace(r) {
			row = 0
		}
		last = r
		if row++; row >= signs {
			return fmt.Sprintf("%q %d times in a row", r, signs)
		}
	}
	if period, times := tail(words); times >= 4 && period*times >= 12 {
		return fmt.Sprintf("it ends with the same %d words %d times in a row", period, times)
	}
	if reason := repeatedClause(text); reason != "" {
		return reason
	}
	if len(words) < 60 {
		return ""
	}
	distinct := map[[3]string]bool{}
	for i := 0; i+3 <= len(words); i++ {
		distinct[[3]string(words[i:i+3])] = true
	}
	if n := len(words) - 2; 3*len(distinct) < n {
		return fmt.Sprintf("only %d of its %d sequences of three words differ", len(distinct), n)
	}
	return ""
}

var clauseEnds = regexp.MustCompile(`[.,;:!?。，、；：！？\n()—–]+`)

// repeatedClause reports a clause of four words or more, or eight ideographs, that occurs
// three times, with or without an "and" before it.
func repeatedClause(text string) string {
	const times, leastWords, leastSigns = 3, 4, 12
	count := map[string]int{}
	for _, clause := range clauseEnds.Split(text, -1) {
		words := tokens(clause)
		if len(words) > 0 && (words[0] == "and" || words[0] == "or") {
			words = words[1:]
		}
		key := strings.Join(words, " ")
		if len(words) < leastWords || len([]rune(key)) < leastSigns {
			continue
		}
		if count[key]++; count[key] == times {
			return fmt.Sprintf("one clause %d times: %s", times, key)
		}
	}
	return ""
}

// tail returns the period and the count of the longest repetition at the end of words, not
// counting a last, incomplete one.
func tail(words []string) (period, times int) {
	best := 0
	for p := 1; p <= min(60, len(words)/2); p++ {
		same := 0
		for i := len(words) - 1; i >= p && words[i] == words[i-p]; i-- {
			same++
		}
		if n := same/p + 1; n >= 2 && n*p > best {
			best, period, times = n*p, p, n
		}
	}
	return period, times
}

// Script is a writing system, by its Unicode name: Latin, Cyrillic, Han, Arabic; Japanese
// stands for Han, Hiragana and Katakana, Korean for Hangul and Han. The zero value is any.
type Script struct {
	name   string
	tables []*unicode.RangeTable
}

// ParseScript returns the script with the name; "" and "any" mean any.
func ParseScript(name string) (Script, error) {
	switch strings.ToLower(name) {
	case "", "any":
		return Script{}, nil
	case "japanese":
		return Script{"Japanese", []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana}}, nil
	case "korean":
		return Script{"Korean", []*unicode.RangeTable{unicode.Hangul, unicode.Han}}, nil
	}
	for known, table := range unicode.Scripts {
		if strings.EqualFold(known, name) {
			return Script{known, []*unicode.RangeTable{table}}, nil
		}
	}
	return Script{}, unknownScript(name)
}

// String returns the script's name; "any" for the zero value.
func (s Script) String() string {
	if s.name == "" {
		return "any"
	}
	return s.name
}

// misses reports whether a text of twenty letters or more has less than half of them in the
// script.
func (s Script) misses(text string) string {
	if s.name == "" {
		return ""
	}
	letters, fitting := 0, 0
	for _, r := range text {
		if !unicode.IsLetter(r) {
			continue
		}
		letters++
		if unicode.In(r, s.tables...) {
			fitting++
		}
	}
	if letters < 20 || 2*fitting >= letters {
		return ""
	}
	return fmt.Sprintf("%d of its %d letters are %s", fitting, letters, s.name)
}
