package secret

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// matcher finds secrets: an automaton (Aho and Corasick's) over the letters of all forms,
// which reads each view of a text once.
type matcher struct {
	values  []string
	plain   []string // those with too few letters for it, as they are
	forms   []form
	class   [256]uint16 // of each letter; 0 for those that no form has
	classes int
	read    [256]int32 // of each byte: its class, between or beyond
	next    []int32    // of state and class, the next state
	ends    [][]int32  // of each state, the forms that end there
	final   []bool     // of each state, whether there are any
	depth   []int32    // of each state, how many letters it has read
	begins  []int32    // of each state, a form that begins so
	longest int        // letters
}

func newMatcher(values []string) *matcher {
	m := &matcher{values: values, classes: 1}
	for _, v := range values {
		if _, ok := newForm(v); !ok {
			m.plain = append(m.plain, v)
		}
		m.forms = append(m.forms, formsOf(v)...)
	}
	total := 1
	for i := range m.forms {
		f := &m.forms[i]
		total += f.letters
		m.longest = max(m.longest, f.letters)
		for _, c := range f.lettersOf() {
			if m.class[c] == 0 {
				m.class[c] = uint16(m.classes)
				m.classes++
			}
		}
	}
	m.next = make([]int32, m.classes, total*m.classes)
	m.ends, m.depth, m.begins = make([][]int32, 1, total), make([]int32, 1, total), make([]int32, 1, total)
	for i := range m.forms {
		m.insert(int32(i))
	}
	m.link()
	m.final = make([]bool, len(m.ends))
	for s, ends := range m.ends {
		m.final[s] = len(ends) > 0
	}
	for b := range m.read {
		switch {
		case b >= utf8.RuneSelf:
			m.read[b] = beyond
		case folded[b] == 0:
			m.read[b] = between
		default:
			m.read[b] = int32(m.class[folded[b]])
		}
	}
	return m
}

// What a byte may be instead of a letter.
const (
	between = -1 // it may stand between letters
	beyond  = -2 // of ASCII: see letter
)

// lettersOf are the bytes of a form that are letters.
func (f *form) lettersOf() []byte {
	var out []byte
	for i := 0; i < len(f.text); {
		c, n := letter(f.text, i)
		if c != 0 {
			out = append(out, c)
		}
		i += n
	}
	return out
}

func (m *matcher) insert(i int32) {
	state := int32(0)
	for _, c := range m.forms[i].lettersOf() {
		at := int(state)*m.classes + int(m.class[c])
		if m.next[at] == 0 {
			m.next[at] = int32(len(m.depth))
			m.next = append(m.next, make([]int32, m.classes)...)
			m.ends, m.depth, m.begins = append(m.ends, nil), append(m.depth, m.depth[state]+1), append(m.begins, i)
		}
		state = m.next[at]
		if f := m.forms[m.begins[state]]; f.before+f.more != "" || !f.cut { // the whole secret rather
			m.begins[state] = i
		}
	}
	m.ends[state] = append(m.ends[state], i)
}

// link adds to each state where it goes on when the next letter is none of its own.
func (m *matcher) link() {
	fail := make([]int32, len(m.depth))
	queue := make([]int32, 0, len(m.depth))
	for c := range m.classes {
		if s := m.next[c]; s != 0 {
			queue = append(queue, s)
		}
	}
	for at := 0; at < len(queue); at++ {
		s := queue[at]
		m.ends[s] = append(m.ends[s], m.ends[fail[s]]...)
		for c := range m.classes {
			own, other := int(s)*m.classes+c, m.next[int(fail[s])*m.classes+c]
			if m.next[own] == 0 {
				m.next[own] = other
				continue
			}
			fail[m.next[own]] = other
			queue = append(queue, m.next[own])
		}
	}
}

// span is a place in the text at first.
type span struct{ from, to int }

func (m *matcher) redact(s string) string {
	spans := m.find(s)
	if len(spans) == 0 {
		return s
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from - b.from })
	var b strings.Builder
	done := 0
	for i := 0; i < len(spans); {
		at := spans[i]
		for i++; i < len(spans) && spans[i].from < at.to; i++ {
			at.to = max(at.to, spans[i].to)
		}
		b.WriteString(s[done:at.from])
		b.WriteString(Redacted)
		done = at.to
	}
	b.WriteString(s[done:])
	return b.String()
}

// find lists where secrets stand in s, in any order.
func (m *matcher) find(s string) []span {
	at := view{s: s}
	spans := m.scan(&at, s, nil)
	const mixed = backslashes | percents | entities
	spans, did := m.descend(at, mixed, spans)
	if did&(did-1) != 0 { // several kinds: an escape of one may take in what belongs to another
		for _, one := range []kind{backslashes, percents, entities} {
			if did&one != 0 {
				spans, _ = m.descend(at, one, spans)
			}
		}
	}
	spans, _ = m.descend(at, mails, spans)
	return spans
}

// descend looks through what at becomes as its escapes are written out, again and again.
func (m *matcher) descend(at view, which kind, spans []span) ([]span, kind) {
	var all kind
	s := at.s
	for range mostLevels {
		next, did := at.unescape(which)
		if did == 0 {
			break
		}
		all |= did
		spans = m.scan(&next, s, spans)
		at = next
	}
	return spans, all
}

// scan looks through one view of the text s.
func (m *matcher) scan(v *view, s string, spans []span) []span {
	text := v.s
	var small [512]int32
	ring := small[:]
	if size := ringOf(min(m.longest, len(text))); size > len(small) {
		ring = make([]int32, size)
	}
	mask := len(ring) - 1
	state, n, last := int32(0), 0, 0
	for i := 0; i < len(text); {
		class, width := m.read[text[i]], 1
		if class < 0 {
			if class == beyond {
				var c byte
				if c, width = letter(text, i); c != 0 {
					class = int32(m.class[c])
				}
			}
			if class < 0 {
				i += width
				continue
			}
		}
		ring[n&mask] = int32(i)
		n++
		i += width
		last = i
		state = m.next[int(state)*m.classes+int(class)]
		if !m.final[state] {
			continue
		}
		for _, e := range m.ends[state] {
			f := &m.forms[e]
			if at, ok := f.verify(v, s, int(ring[(n-f.letters)&mask]), i); ok {
				spans = append(spans, at)
			}
		}
	}
	if f, read := &m.forms[m.begins[state]], int(m.depth[state]); read >= Shortest && 3*f.letters <= 4*read && read < f.letters && f.cut && f.before+f.more == "" {
		if from := int(ring[(n-read)&mask]); !f.dense && f.follow(text[from:]) >= read {
			spans = append(spans, span{v.origin(from), v.origin(last)})
		}
	}
	for _, p := range m.plain {
		for from := 0; ; {
			i := strings.Index(text[from:], p)
			if i < 0 {
				break
			}
			spans = append(spans, span{v.origin(from + i), v.origin(from + i + len(p))})
			from += i + len(p)
		}
	}
	return spans
}

// leadFrom returns where the separators begin that f has in front of its first letter, as
// far as they stand there, and whether all do.
func (f *form) leadFrom(s string, from int) (int, bool) {
	i := len(f.lead)
	for p := from; i > 0 && p > 0; {
		_, n := utf8.DecodeLastRuneInString(s[:p])
		p -= n
		if c, _ := letter(s, p); c != 0 {
			break
		}
		if same(s, p, n, f.lead[i-1]) {
			i, from = i-1, p
		}
	}
	return from, i == 0
}

// trailTo returns where the separators end that f has behind its last letter, and whether
// all stand there.
func (f *form) trailTo(s string, to int) (int, bool) {
	i := 0
	for p := to; i < len(f.trail) && p < len(s); {
		c, n := letter(s, p)
		if c != 0 {
			break
		}
		if same(s, p, n, f.trail[i]) {
			i, to = i+1, p+n
		}
		p += n
	}
	return to, i == len(f.trail)
}

// ringOf is a power of two that is larger than n.
func ringOf(n int) int {
	size := 16
	for size <= n {
		size *= 2
	}
	return size
}

// verify tells whether f stands in a view from where its first letter does to behind its
// last, and where that is in s, the text at first.
func (f *form) verify(v *view, s string, from, to int) (span, bool) {
	if !f.stands(v.s[from:to]) {
		return span{}, false
	}
	from, lead := f.leadFrom(v.s, from)
	to, trail := f.trailTo(v.s, to)
	if len(f.text) < Shortest && !(lead && trail) {
		return span{}, false
	}
	at := span{v.origin(from), v.origin(to)}
	if f.before != "" {
		if at.from -= len(f.before); at.from < 0 || foldAll(s[at.from:at.from+len(f.before)]) != f.before {
			return span{}, false
		}
	}
	if f.more != "" {
		if at.to += len(f.more); at.to > len(s) || foldAll(s[at.to-len(f.more):at.to]) != f.more {
			return span{}, false
		}
	}
	return at, true
}
