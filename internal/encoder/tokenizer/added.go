package tokenizer

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
)

// matcher finds added tokens in a text: the leftmost, and of those the longest.
type matcher struct {
	byFirst map[byte][]addedToken
}

type addedToken struct {
	content     string
	id          int32
	left, right bool // white space at that side belongs to the token
}

func (m *matcher) add(t addedToken) {
	if t.content == "" {
		return
	}
	if m.byFirst == nil {
		m.byFirst = map[byte][]addedToken{}
	}
	list := m.byFirst[t.content[0]]
	list = append(list, t)
	slices.SortStableFunc(list, func(a, b addedToken) int { return cmp.Compare(len(b.content), len(a.content)) })
	m.byFirst[t.content[0]] = list
}

// split calls fn for each part of s in order: stretches of text with id -1, and
// added tokens with their ids.
func (m *matcher) split(s string, fn func(part string, id int32)) {
	start := 0
	for i := 0; i < len(s) && len(m.byFirst) > 0; {
		tok, ok := m.at(s[i:])
		if !ok {
			i++
			continue
		}
		before := s[start:max(start, i)]
		if tok.left {
			before = strings.TrimRightFunc(before, isSpace)
		}
		if before != "" {
			fn(before, -1)
		}
		fn(tok.content, tok.id)
		i += len(tok.content)
		start = i
		if tok.right {
			start = len(s) - len(strings.TrimLeftFunc(s[i:], isSpace))
		}
	}
	if start < len(s) {
		fn(s[start:], -1)
	}
}

func isSpace(c rune) bool { return unicode.Is(unicode.White_Space, c) }

func (m *matcher) at(s string) (addedToken, bool) {
	for _, tok := range m.byFirst[s[0]] {
		if strings.HasPrefix(s, tok.content) {
			return tok, true
		}
	}
	return addedToken{}, false
}
