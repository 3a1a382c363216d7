// Package money reads prices as catalogues write them.
package money

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/mllmrec/mllmrec/dataset"
)

// Parse reads a price such as 12.99, $1,299.00, 12,99 € or EUR 5. Of a range, such as $10.00 - $20.00, it is the lower end. A comma is
// followed by thousands where three digits are behind it and no point, and by decimals elsewhere; a single point by decimals.
// The second result is false where the text is none of these.
func Parse(text string) (float64, bool) {
	text = strings.TrimSpace(text)
	if low, _, is := strings.Cut(text, " - "); is {
		text = low
	}
	if p, err := strconv.ParseFloat(text, 64); err == nil && strings.IndexFunc(text, unicode.IsDigit) >= 0 {
		return p, dataset.ValidPrice(p)
	}
	text = strings.TrimFunc(text, func(r rune) bool { return unicode.Is(unicode.Sc, r) || unicode.IsLetter(r) || unicode.IsSpace(r) })
	plain, ok := decimal(text)
	if !ok {
		return 0, false
	}
	p, err := strconv.ParseFloat(plain, 64)
	return p, err == nil && dataset.ValidPrice(p)
}

// decimal rewrites a number with separators as digits with at most one point.
func decimal(s string) (string, bool) {
	s = strings.Map(func(r rune) rune {
		if r == '\'' || r == '’' || unicode.IsSpace(r) {
			return -1
		}
		return r
	}, s)
	if s == "" || strings.Trim(s, "0123456789.,") != "" || strings.IndexFunc(s, unicode.IsDigit) != 0 {
		return "", false
	}
	last := strings.LastIndexAny(s, ".,")
	if last < 0 {
		return s, true
	}
	mark := s[last : last+1]
	behind := len(s) - last - 1
	other := strings.ContainsAny(s[:last], strings.Trim(".,", mark))
	thousands := !other && (strings.Count(s, mark) > 1 || mark == "," && behind == 3)
	if thousands {
		return grouped(strings.Split(s, mark))
	}
	whole := s[:last]
	if strings.Contains(whole, mark) || behind == 0 {
		return "", false
	}
	whole, ok := grouped(strings.FieldsFunc(whole, func(r rune) bool { return r == '.' || r == ',' }))
	return whole + "." + s[last+1:], ok
}

// grouped joins groups of digits, of which all but the first must have three.
func grouped(groups []string) (string, bool) {
	for n, g := range groups {
		if len(g) != 3 && (n > 0 || len(g) == 0 || len(groups) > 1 && len(g) > 3) {
			return "", false
		}
	}
	return strings.Join(groups, ""), len(groups) > 0
}
