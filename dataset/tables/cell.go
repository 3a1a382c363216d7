package tables

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/dataset"
)

// A cell is one value of a row, valid until the next row.
type cell struct {
	text    []byte
	list    []string // of a list-valued cell
	objects []object // of a cell of kind grouped
	kind    cellKind
	float   int   // bits that text keeps exactly, where it is a floating-point number; 0 = it is none
	time    bool  // text is a time in unix seconds, whatever its size
	nanos   int32 // what that time has beyond seconds
	at      int   // 1-based byte in the line, or the column's number in Parquet; 0 = not known
}

type cellKind uint8

const (
	absent cellKind = iota // no such field, or null
	single
	multiple
	grouped // an object, or a list of objects
)

// object is a value that has named members.
type object []member

type member struct {
	name   string
	values []string
}

// of returns the first member with a value among names, which are compared without regard
// to case.
func (o object) of(names ...string) (string, bool) {
	for _, n := range names {
		for _, m := range o {
			if strings.EqualFold(m.name, n) && len(m.values) > 0 && !missing(m.values[0]) {
				return m.values[0], true
			}
		}
	}
	return "", false
}

// names lists the members.
func (o object) names() []string {
	var all []string
	for _, m := range o {
		all = append(all, m.name)
	}
	return all
}

// missingWords stand for a missing value where data frames, databases, spreadsheets and
// scripts write it as text.
var missingWords = map[string]bool{}

func init() {
	for _, w := range strings.Fields("NaN nan NAN -nan -NaN NA N/A n/a #N/A #NA <NA> NaT None NONE none NULL Null null (null) <null> nil undefined \\N #NULL! #VALUE! #REF! 1.#QNAN -1.#IND") {
		missingWords[w] = true
	}
}

// missing reports whether a text stands for a missing value.
func missing(s string) bool {
	s = strings.TrimSpace(s)
	return s == "" || len(s) <= 9 && missingWords[s]
}

// void reports whether the cell holds nothing.
func (c *cell) void() bool {
	return c.kind == absent || c.kind == single && missing(string(c.text))
}

// exactIn is the largest whole number up to which floating-point numbers of so many bits
// are exact.
func exactIn(bits int) float64 { return math.Ldexp(1, bits) }

// id returns the cell as an id, or says why it is none. Whole numbers that went through
// floating point are written as whole numbers, as long as they are exact.
func (c *cell) id() (id []byte, why string) {
	if c.kind == single && len(c.text) > 0 && missing(string(c.text)) {
		return nil, quote(c.text) + " stands for a missing value"
	}
	if why := dataset.CheckID(c.text); why != "" {
		return nil, why
	}
	if c.float == 0 {
		return c.text, inexact(string(c.text))
	}
	v, err := strconv.ParseFloat(string(c.text), 64)
	switch {
	case err != nil || math.IsInf(v, 0):
		return nil, quote(c.text) + " is no finite number"
	case v != math.Trunc(v):
		return c.text, ""
	case math.Abs(v) > exactIn(c.float):
		return nil, fmt.Sprintf("%s went through floating point, where whole numbers beyond 2^%d are not exact; write ids as whole numbers or text", clip(c.text), c.float)
	}
	return strconv.AppendFloat(nil, v, 'f', 0, 64), ""
}

// inexact says why a text is an id that lost digits on its way, or returns "": a
// spreadsheet or a data frame wrote it as a number with an exponent, or as a number with a
// fraction beyond 2^53.
func inexact(s string) string {
	if !strings.ContainsAny(s, ".eE") {
		return ""
	}
	digits := strings.Replace(strings.TrimPrefix(s, "-"), ",", ".", 1) // spreadsheets of half the world
	whole, fraction, point := strings.Cut(digits, ".")
	mantissa, exponent, power := strings.Cut(digits, "e")
	if !power {
		mantissa, exponent, power = strings.Cut(digits, "E")
	}
	switch {
	case power && (strings.Contains(mantissa, ".") || strings.HasPrefix(exponent, "+")) && isNumber(mantissa) && isNumber(strings.TrimPrefix(exponent, "+")):
		return quote([]byte(s)) + " is a number with an exponent: digits of the id are lost; write ids as whole numbers or text"
	case point && strings.Trim(fraction, "0") == "" && fraction != "" && isNumber(whole) && len(whole) >= 16:
		if v, err := strconv.ParseFloat(whole, 64); err != nil || v > exactIn(53) {
			return quote([]byte(s)) + " went through floating point, where whole numbers beyond 2^53 are not exact; write ids as whole numbers or text"
		}
	}
	return ""
}

// isNumber reports whether s is digits with at most one point.
func isNumber(s string) bool {
	return strings.Trim(s, "0123456789.") == "" && strings.Count(s, ".") <= 1 && strings.Trim(s, ".") != ""
}

func clip(b []byte) string {
	if len(b) > 60 {
		return string(b[:60]) + "…"
	}
	return string(b)
}
