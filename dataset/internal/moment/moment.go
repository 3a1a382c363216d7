// Package moment reads times as tables hold them: counts of seconds to nanoseconds since
// 1970, and dates as databases, data frames and the shell write them.
package moment

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Format is one way to write a time.
type Format uint8

// The formats. A column has one: the units are told apart by magnitude, and a date without
// a zone is not comparable to one with a zone.
const (
	None Format = iota
	Seconds
	Millis
	Micros
	Nanos
	Zoned      // a date with time and zone
	Local      // a date with time
	Date       // a date
	NumberDate // 20140513
)

// String says it in words.
func (f Format) String() string {
	return [...]string{"no time", "unix seconds", "unix milliseconds", "unix microseconds", "unix nanoseconds",
		"a time with its zone", "a date with time", "a date", "a date written as a number"}[f]
}

// Time is a point in time.
type Time struct {
	Seconds int64 // since 1970, rounded down
	Nanos   int32 // the rest
}

// Bounds of what is taken for a time, in unix seconds: the years 1900 to 2199.
const (
	earliest = -2_208_988_800
	latest   = 7_258_118_399
)

// unitFrom is where the next finer unit begins. As a count of one unit it is the year
// 5138, as one of the next it is March 1973.
const unitFrom = 100_000_000_000

// Column reads the times of one column, all of one format: the first one's, which Settle
// fixes.
type Column struct{ format Format }

// Settle holds what follows to a format. Only the first call has an effect.
func (c *Column) Settle(f Format) {
	if c.format == None {
		c.format = f
	}
}

// Parse reads one time and its format. why says in words why it is none.
func (c *Column) Parse(text string) (t Time, format Format, why string) {
	s := strings.TrimSpace(text)
	if s == "" {
		return Time{}, None, "empty"
	}
	if c.format == None || c.format == NumberDate {
		if t, ok := numberDate(s); ok {
			return t, NumberDate, ""
		}
	}
	if t, format, why = parse(s); why != "" {
		return Time{}, None, quote(s) + " " + why
	}
	if c.format != None && c.format != format {
		return Time{}, None, fmt.Sprintf("%s is %s, the file's first time was %s", quote(s), format, c.format)
	}
	return t, format, ""
}

func quote(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return strconv.Quote(s)
}

const noTime = "is no time (unix seconds to nanoseconds, RFC 3339, a date with or without time and zone)"

func parse(s string) (Time, Format, string) {
	if len(s) > 64 {
		return Time{}, None, noTime
	}
	if numeric(s) {
		if v, err := strconv.ParseInt(s, 10, 64); err == nil {
			if t, ok := compact(s); ok {
				return t, Local, ""
			}
			return count(v, 0)
		}
		if f, err := strconv.ParseFloat(s, 64); err == nil && math.Abs(f) < 1<<62 { // 1400000000.0, 1.4e+09
			whole := math.Floor(f)
			return count(int64(whole), f-whole)
		}
	}
	return date(s)
}

// numeric reports whether s has only what numbers are written with.
func numeric(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			return false
		}
	}
	return true
}

// count reads a number of units since 1970.
func count(v int64, fraction float64) (Time, Format, string) {
	unit, perSecond := Seconds, int64(1)
	for limit := int64(unitFrom); unit < Nanos && (v >= limit || v <= -limit); limit *= 1000 {
		unit++
		perSecond *= 1000
	}
	t := Time{Seconds: v / perSecond}
	rest := v % perSecond
	if rest < 0 {
		t.Seconds--
		rest += perSecond
	}
	t.Nanos = int32(rest * (1_000_000_000 / perSecond))
	if unit == Seconds {
		t.Nanos = int32(fraction * 1e9)
	}
	if unit == Nanos && v > 0 && t.Seconds < oldestNanos {
		return Time{}, None, fmt.Sprintf("is no plausible time: as %s it is in the year %d, and it may be ticks that are counted from the year 1 or 1601", unit, time.Unix(t.Seconds, 0).UTC().Year())
	}
	return bounded(t, unit)
}

// oldestNanos is the beginning of 1992. Counts of 100 ns since the year 1 or 1601, as
// Windows and .NET have them, are of the size of nanoseconds before.
const oldestNanos = 694_224_000

// Check says why a time that a file has as a time is none, or returns "".
func Check(t Time) string {
	_, _, why := bounded(t, Zoned)
	return why
}

func bounded(t Time, format Format) (Time, Format, string) {
	if t.Seconds < earliest || t.Seconds > latest {
		return Time{}, None, fmt.Sprintf("is no plausible time: as %s it is in the year %d", format, time.Unix(t.Seconds, 0).UTC().Year())
	}
	return t, format, ""
}

// numberDate reads a date written as a whole number, which warehouses use as a key.
func numberDate(s string) (Time, bool) {
	if len(s) != 8 || s[0] != '1' && s[0] != '2' {
		return Time{}, false
	}
	t, err := time.Parse("20060102", s)
	if err != nil || t.Unix() < earliest || t.Unix() > latest {
		return Time{}, false
	}
	return Time{Seconds: t.Unix()}, true
}

// compact reads 20140513165320, which as a count would be far in the future.
func compact(s string) (Time, bool) {
	if len(s) != 14 || s[0] != '1' && s[0] != '2' {
		return Time{}, false
	}
	t, err := time.Parse("20060102150405", s)
	if err != nil || t.Unix() < earliest || t.Unix() > latest {
		return Time{}, false
	}
	return Time{Seconds: t.Unix()}, true
}
