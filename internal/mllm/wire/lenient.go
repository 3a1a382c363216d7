package wire

import (
	"bytes"
	"encoding/json"
	"math"
	"strconv"
	"strings"
)

// Count is a count that servers write as an integer, a float, a text or null. What is no
// count is 0, as one that is not told: an answer is not thrown away for it.
type Count int

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (c *Count) UnmarshalJSON(raw []byte) error {
	*c = 0
	v, err := strconv.ParseFloat(strings.Trim(string(bytes.TrimSpace(raw)), `"`), 64)
	if err == nil && v >= 0 && v <= math.MaxInt32 {
		*c = Count(math.Round(v))
	}
	return nil
}

// Word is a text that some servers leave out or write as something else. What is no text is
// "", as one that is not told.
type Word string

// UnmarshalJSON implements json.Unmarshaler. It never fails.
func (w *Word) UnmarshalJSON(raw []byte) error {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		s = ""
	}
	*w = Word(s)
	return nil
}
