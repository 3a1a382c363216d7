package remote

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
)

// vector is a JSON array of finite numbers. null, which some servers send for NaN and
// encoding/json would read as 0, is an error.
type vector []float32

// UnmarshalJSON implements json.Unmarshaler; data is valid JSON.
func (v *vector) UnmarshalJSON(data []byte) error {
	data = bytes.TrimSpace(data)
	if len(data) < 2 || data[0] != '[' {
		return fmt.Errorf("a vector must be an array of numbers")
	}
	*v = make(vector, 0, bytes.Count(data, []byte(","))+1)
	data = bytes.TrimSpace(data[1 : len(data)-1])
	if len(data) == 0 {
		return nil
	}
	for field := range bytes.SplitSeq(data, []byte(",")) {
		x, err := strconv.ParseFloat(string(bytes.TrimSpace(field)), 64)
		if err != nil || math.Abs(x) > math.MaxFloat32 || math.IsNaN(x) {
			return fmt.Errorf("number %d of a vector is %.40q, not a finite number", len(*v), field)
		}
		*v = append(*v, float32(x))
	}
	return nil
}
