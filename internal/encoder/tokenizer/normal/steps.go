package normal

import (
	"regexp"
	"strings"
	"unicode"
)

// Steps applies each step to the result of the one before.
type Steps []Step

// Apply implements Step.
func (all Steps) Apply(s string) string {
	for _, step := range all {
		s = step.Apply(s)
	}
	return s
}

// LowerCase maps each character to its lower case, without context.
type LowerCase struct{}

// Apply implements Step.
func (LowerCase) Apply(s string) string { return lower(s) }

// Replace puts New in the place of each Old.
type Replace struct{ Old, New string }

// Apply implements Step.
func (r Replace) Apply(s string) string {
	if r.Old == "" {
		return s
	}
	return strings.ReplaceAll(s, r.Old, r.New)
}

// ReplacePattern puts New, as it is written, in the place of each match.
type ReplacePattern struct {
	Pattern *regexp.Regexp
	New     string
}

// Apply implements Step.
func (r ReplacePattern) Apply(s string) string { return r.Pattern.ReplaceAllLiteralString(s, r.New) }

// Strip drops white space at the ends.
type Strip struct{ Left, Right bool }

// Apply implements Step.
func (p Strip) Apply(s string) string {
	space := func(c rune) bool { return unicode.Is(unicode.White_Space, c) }
	if p.Left {
		s = strings.TrimLeftFunc(s, space)
	}
	if p.Right {
		s = strings.TrimRightFunc(s, space)
	}
	return s
}

// Prepend puts a string before a text that is not empty.
type Prepend string

// Apply implements Step.
func (p Prepend) Apply(s string) string {
	if s == "" {
		return s
	}
	return string(p) + s
}
