package normal

import (
	"unicode"
	"unicode/utf8"
)

// break classes of UAX #29, as far as its rules tell them apart.
type breakClass uint8

const (
	anyClass breakClass = iota
	controlClass
	crClass
	lfClass
	extendClass
	joinerClass // U+200D
	spacingClass
	prependClass
	pictureClass
	flagClass // regional indicators
	hangulLClass
	hangulVClass
	hangulTClass
	hangulLVClass
	hangulLVTClass
	consonantClass
	linkerClass // also extends
)

var breakTables = []struct {
	table *unicode.RangeTable
	class breakClass
}{
	{linkers, linkerClass}, {graphemeExtend, extendClass}, {graphemeSpacing, spacingClass}, {consonants, consonantClass},
	{graphemePicture, pictureClass}, {graphemeControl, controlClass}, {hangulL, hangulLClass}, {hangulV, hangulVClass},
	{hangulT, hangulTClass}, {graphemePrepend, prependClass},
}

func breakClassOf(c rune) breakClass {
	switch {
	case c == '\r':
		return crClass
	case c == '\n':
		return lfClass
	case c < ' ' || c == 0x7f:
		return controlClass
	case c < 0x7f:
		return anyClass
	case c == 0x200d:
		return joinerClass
	case 0xac00 <= c && c <= 0xd7a3:
		if (c-0xac00)%28 == 0 {
			return hangulLVClass
		}
		return hangulLVTClass
	case 0x4e00 <= c && c <= 0x9fff:
		return anyClass
	case 0x1f1e6 <= c && c <= 0x1f1ff:
		return flagClass
	}
	for _, t := range breakTables {
		if unicode.Is(t.table, c) {
			return t.class
		}
	}
	return anyClass
}

// nextCluster returns the length in bytes of the extended grapheme cluster at the beginning
// of s (UAX #29), which is not empty.
func nextCluster(s string) int {
	c, at := utf8.DecodeRuneInString(s)
	before := breakClassOf(c)
	state := clusterState{}
	state.take(before, c)
	for at < len(s) {
		c, width := utf8.DecodeRuneInString(s[at:])
		class := breakClassOf(c)
		if !state.joins(before, class) {
			break
		}
		state.take(class, c)
		before = class
		at += width
	}
	return at
}

// clusterState is what the rules that look further back need to know.
type clusterState struct {
	picture   bool // a pictograph and only extending characters since
	joined    bool // and then U+200D, the last character
	flags     int  // regional indicators at the end
	consonant bool // a consonant, and only extending characters and linkers since
	linked    bool // at least one of them a linker
}

func (s *clusterState) take(class breakClass, c rune) {
	s.joined = s.picture && class == joinerClass
	s.picture = class == pictureClass || s.picture && (class == extendClass || class == linkerClass || class == joinerClass)
	if class == flagClass {
		s.flags++
	} else {
		s.flags = 0
	}
	const nonJoiner = 0x200c // extends, but not within a conjunct
	inside := s.consonant && c != nonJoiner && (class == extendClass || class == linkerClass || class == joinerClass)
	s.linked = inside && (s.linked || class == linkerClass)
	s.consonant = inside || class == consonantClass
}

// joins reports whether a character of class next belongs to the cluster.
func (s *clusterState) joins(before, next breakClass) bool {
	switch {
	case before == crClass:
		return next == lfClass
	case before == controlClass || before == lfClass || next == controlClass || next == crClass || next == lfClass:
		return false
	case next == extendClass || next == linkerClass || next == joinerClass || next == spacingClass || before == prependClass:
		return true
	}
	switch next {
	case hangulLClass, hangulLVClass, hangulLVTClass:
		return before == hangulLClass
	case hangulVClass:
		return before == hangulLClass || before == hangulVClass || before == hangulLVClass
	case hangulTClass:
		return before == hangulVClass || before == hangulTClass || before == hangulLVClass || before == hangulLVTClass
	case pictureClass:
		return s.joined
	case flagClass:
		return s.flags%2 == 1
	case consonantClass:
		return s.linked
	}
	return false
}
