package normal

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Charsmap is SentencePiece's precompiled character map: a double array of byte strings and
// what each becomes. Hugging Face's library looks up short grapheme clusters whole, longer
// ones character by character, and of several entries that a cluster begins with takes the
// shortest for all of it; so does Apply.
type Charsmap struct {
	units []uint32
	texts string
	plain [utf8.RuneSelf]string // what becomes of an ASCII character that stands alone
}

const charsmapHint = "The tokenizer's normalizer is damaged. Pull the model again."

// ParseCharsmap reads a map as it stands in tokenizer.json, after base64: the size of the
// double array in bytes, the double array, the texts, each ended by a zero byte.
func ParseCharsmap(data []byte) (*Charsmap, error) {
	if len(data) < 4 {
		return nil, usererr.New(charsmapHint, "the character map has %d bytes", len(data))
	}
	size, rest := int64(binary.LittleEndian.Uint32(data)), data[4:]
	if size%4 != 0 || size == 0 || size > int64(len(rest)) {
		return nil, usererr.New(charsmapHint, "the character map claims a double array of %d bytes; it has %d in all", size, len(rest))
	}
	m := &Charsmap{units: make([]uint32, size/4), texts: string(rest[size:])}
	for i := range m.units {
		m.units[i] = binary.LittleEndian.Uint32(rest[4*i:])
	}
	if !utf8.ValidString(m.texts) {
		return nil, usererr.New(charsmapHint, "the texts of the character map are not UTF-8")
	}
	for c := range m.plain {
		m.plain[c] = string(rune(c))
		if to, ok := m.lookup(m.plain[c]); ok {
			m.plain[c] = to
		}
	}
	return m, nil
}

// The fields of a unit of the double array, as in the library Darts-clone.
func unitHasLeaf(u uint32) bool       { return u>>8&1 == 1 }
func unitValue(u uint32) uint32       { return u & (1<<31 - 1) }
func unitLabel(u uint32) uint32       { return u & (1<<31 | 0xff) }
func unitOffset(u uint32) uint32      { return u >> 10 << (u & (1 << 9) >> 6) }
func (m *Charsmap) has(p uint32) bool { return int64(p) < int64(len(m.units)) }

// lookup returns what the shortest entry that s begins with becomes.
func (m *Charsmap) lookup(s string) (string, bool) {
	at := unitOffset(m.units[0])
	for i := 0; i < len(s) && s[i] != 0; i++ {
		at ^= uint32(s[i])
		if !m.has(at) || unitLabel(m.units[at]) != uint32(s[i]) {
			return "", false
		}
		u := m.units[at]
		at ^= unitOffset(u)
		if unitHasLeaf(u) {
			return m.text(at)
		}
	}
	return "", false
}

func (m *Charsmap) text(at uint32) (string, bool) {
	if !m.has(at) {
		return "", false
	}
	start := int64(unitValue(m.units[at]))
	if start > int64(len(m.texts)) {
		return "", false
	}
	s := m.texts[start:]
	if end := strings.IndexByte(s, 0); end >= 0 {
		s = s[:end]
	}
	return s, utf8.ValidString(s) // a damaged map may point inside a character
}

// shortCluster is the number of bytes from which on a cluster is not looked up whole.
const shortCluster = 6

// Apply implements Step.
func (m *Charsmap) Apply(s string) string {
	var b strings.Builder
	b.Grow(len(s) + len(s)/8)
	for len(s) > 0 {
		if c := s[0]; c < utf8.RuneSelf && c != '\r' && (len(s) == 1 || s[1] < utf8.RuneSelf) {
			b.WriteString(m.plain[c])
			s = s[1:]
			continue
		}
		n := nextCluster(s)
		m.cluster(&b, s[:n])
		s = s[n:]
	}
	return b.String()
}

func (m *Charsmap) cluster(b *strings.Builder, s string) {
	if len(s) < shortCluster {
		if to, ok := m.lookup(s); ok {
			b.WriteString(to)
			return
		}
	}
	for s != "" {
		_, width := utf8.DecodeRuneInString(s)
		part := s[:width]
		s = s[width:]
		if to, ok := m.lookup(part); ok {
			part = to
		}
		b.WriteString(part)
	}
}
