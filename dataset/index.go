package dataset

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Index numbers ids in the order of their first appearance.
type Index struct {
	ids  []string
	rows map[string]int32
}

// NewIndex returns an empty index.
func NewIndex() *Index { return &Index{rows: map[string]int32{}} }

// Row returns id's row, giving it the next one when it is new. It copies id.
func (x *Index) Row(id []byte) (int32, error) {
	if r, ok := x.rows[string(id)]; ok { // no allocation: the compiler knows this form
		return r, nil
	}
	if len(x.ids) == math.MaxInt32 {
		return 0, fmt.Errorf("more than %d distinct ids", math.MaxInt32)
	}
	s, r := string(id), int32(len(x.ids))
	x.ids = append(x.ids, s)
	x.rows[s] = r
	return r, nil
}

// Find returns id's row, or false.
func (x *Index) Find(id string) (int32, bool) {
	r, ok := x.rows[id]
	return r, ok
}

// IDs returns the ids by row. The slice is the index's own.
func (x *Index) IDs() []string { return x.ids }

// MaxIDLength bounds the bytes of a user or item id.
const MaxIDLength = 4096

// CheckID says why b cannot be a user or item id, or returns "". Ids are kept byte
// for byte, so unlike texts they are never repaired.
func CheckID(b []byte) string {
	switch {
	case len(b) == 0:
		return "empty id"
	case len(b) > MaxIDLength:
		return fmt.Sprintf("id of %d bytes (at most %d)", len(b), MaxIDLength)
	}
	for _, c := range b {
		if c < 0x20 || c == 0x7f {
			return fmt.Sprintf("control character 0x%02x in an id", c)
		}
	}
	if !utf8.Valid(b) {
		return "id is not valid UTF-8"
	}
	return ""
}

// CleanText makes a text from a source safe to keep: invalid UTF-8 becomes U+FFFD,
// control characters other than tab and line breaks become spaces. It reports
// whether anything had to be replaced.
func CleanText(s string) (string, bool) {
	clean := utf8.ValidString(s)
	for i := 0; clean && i < len(s); i++ {
		clean = !control(rune(s[i]))
	}
	if clean {
		return s, false
	}
	return strings.Map(func(r rune) rune {
		if control(r) {
			return ' '
		}
		return r // strings.Map hands over U+FFFD for invalid bytes
	}, s), true
}

func control(r rune) bool {
	return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0x7f
}
