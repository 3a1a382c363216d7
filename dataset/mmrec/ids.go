package mmrec

import (
	"bytes"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// idColumn gathers one id column. It keeps integers as long as all are integers; at
// the first other id it starts over with texts, of which the integers so far give the
// first (only canonical decimals count as integers, so nothing is lost).
type idColumn struct {
	name    string
	mode    IDs
	ints    []int64
	top     int64 // largest of ints, first met on topLine
	topLine int
	texts   []int32 // rows in index; used once index is set
	index   *dataset.Index
}

// check says why b cannot be an id of this column, or returns "".
func (c *idColumn) check(b []byte) string {
	if why := dataset.CheckID(b); why != "" {
		return why
	}
	if c.mode == Opaque {
		return ""
	}
	v, ok := canonicalInt(b)
	switch {
	case ok && v < 0:
		return fmt.Sprintf("negative id %d", v)
	case ok && v >= math.MaxInt32 && c.mode == Dense:
		return fmt.Sprintf("id %d is beyond the largest row, %d", v, math.MaxInt32-1)
	case !ok && c.mode == Dense:
		return strconv.Quote(clip(b)) + " is no row number"
	}
	return ""
}

// add appends an id that check has passed.
func (c *idColumn) add(b []byte, line int) {
	if c.index == nil {
		if v, ok := canonicalInt(b); ok && c.mode != Opaque {
			c.ints = append(c.ints, v)
			if v > c.top {
				c.top, c.topLine = v, line
			}
			return
		}
		c.index = dataset.NewIndex()
		var text []byte
		for _, v := range c.ints {
			text = strconv.AppendInt(text[:0], v, 10)
			c.texts = append(c.texts, c.intern(text))
		}
		c.ints = nil
	}
	c.texts = append(c.texts, c.intern(b))
}

// intern cannot overflow: there are at most MaxInt32 interactions.
func (c *idColumn) intern(b []byte) int32 {
	r, _ := c.index.Row(b)
	return r
}

// row returns the row of the i-th id.
func (c *idColumn) row(i int) int32 {
	if c.index == nil {
		return int32(c.ints[i])
	}
	return c.texts[i]
}

// finish returns the ids by row.
func (c *idColumn) finish(file string) ([]string, error) {
	if c.index != nil {
		return c.index.IDs(), nil
	}
	if distinct := countDistinct(c.ints); c.top >= maxRows(distinct) {
		return nil, usererr.New(fmt.Sprintf("%ss are row numbers here. Where they are not, say that ids are opaque; files of features then follow the order of first appearance.", c.name),
			"%s:%d: %s %d would make %d rows, but only %d ids occur", file, c.topLine, c.name, c.top, c.top+1, distinct)
	}
	ids := make([]string, c.top+1)
	for i := range ids {
		ids[i] = strconv.Itoa(i)
	}
	return ids, nil
}

// maxRows bounds the rows that so many distinct ids justify: gaps are normal (items
// that fell to nobody), a catalogue that is nearly all gap is a misread file.
func maxRows(distinct int) int64 { return min(16*int64(distinct)+4096, math.MaxInt32) }

func countDistinct(ids []int64) int {
	sorted := slices.Clone(ids)
	slices.Sort(sorted)
	return len(slices.Compact(sorted))
}

func (c *idColumn) kind() string {
	if c.index == nil {
		return "dense"
	}
	return "opaque"
}

// canonicalInt parses the one decimal spelling an int64 has, and that of a data frame which
// went through floating point: 12.0.
func canonicalInt(b []byte) (int64, bool) {
	given := b
	b = bytes.TrimSuffix(b, []byte(".0"))
	digits := b
	if len(b) > 0 && b[0] == '-' {
		digits = b[1:]
	}
	if len(digits) == 0 || len(digits) > 15 && len(b) != len(given) || len(digits) > 18 || digits[0] == '0' && len(b) > 1 {
		return 0, false
	}
	var v int64
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		v = 10*v + int64(d-'0')
	}
	if len(digits) < len(b) {
		v = -v
	}
	return v, true
}
