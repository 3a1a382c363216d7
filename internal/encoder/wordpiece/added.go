package wordpiece

import (
	"cmp"
	"slices"
)

// matcher finds added tokens in a text: the leftmost, and of those the longest.
type matcher struct {
	byFirst map[byte][]addedToken
}

type addedToken struct {
	content string
	id      int32
}

func (m *matcher) add(content string, id int32) {
	if content == "" {
		return
	}
	if m.byFirst == nil {
		m.byFirst = map[byte][]addedToken{}
	}
	list := m.byFirst[content[0]]
	list = append(list, addedToken{content, id})
	slices.SortStableFunc(list, func(a, b addedToken) int { return cmp.Compare(len(b.content), len(a.content)) })
	m.byFirst[content[0]] = list
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
		if i > start {
			fn(s[start:i], -1)
		}
		fn(tok.content, tok.id)
		i += len(tok.content)
		start = i
	}
	if start < len(s) {
		fn(s[start:], -1)
	}
}

func (m *matcher) at(s string) (addedToken, bool) {
	for _, tok := range m.byFirst[s[0]] {
		if len(tok.content) <= len(s) && s[:len(tok.content)] == tok.content {
			return tok, true
		}
	}
	return addedToken{}, false
}
