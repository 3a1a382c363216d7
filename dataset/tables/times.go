package tables

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// timeFormat is one way to write a time.
type timeFormat uint8

const (
	noTime timeFormat = iota
	unixSeconds
	unixMillis
	rfc3339
	dateTime
	dateOnly
)

func (f timeFormat) String() string {
	return [...]string{"no time", "unix seconds", "unix milliseconds", "an RFC 3339 time", "a date with time", "a date"}[f]
}

// timeColumn reads one column of times, all of one format: the first one's.
type timeColumn struct{ format timeFormat }

// millisFrom is where whole numbers are milliseconds: as seconds it would be the year
// 5138, as milliseconds it is March 1973.
const millisFrom = 100_000_000_000

// parse returns the time in unix seconds, its format, and why it is none.
func (t *timeColumn) parse(c cell) (int64, timeFormat, string) {
	if c.kind != single {
		return 0, noTime, "a list is no time"
	}
	if c.seconds {
		v, err := strconv.ParseInt(string(c.text), 10, 64)
		if err != nil {
			return 0, noTime, quote(c.text) + " is no time"
		}
		return v, unixSeconds, ""
	}
	s := strings.TrimSpace(string(c.text))
	seconds, format := parseTime(s)
	switch {
	case s == "":
		return 0, noTime, "empty"
	case format == noTime:
		return 0, noTime, quote(c.text) + " is no time (unix seconds or milliseconds, RFC 3339, date)"
	case t.format != noTime && t.format != format:
		return 0, noTime, quote(c.text) + " is " + format.String() + ", the file's first time was " + t.format.String()
	}
	return seconds, format, ""
}

func parseTime(s string) (int64, timeFormat) {
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		if f, err := strconv.ParseFloat(s, 64); err == nil { // 1400000000.0, 1.4e+09
			if !(math.Abs(f) < 1<<62) {
				return 0, noTime
			}
			return whole(int64(math.Floor(f)))
		}
		return parseDate(s)
	}
	return whole(v)
}

func whole(v int64) (int64, timeFormat) {
	if v >= millisFrom || v <= -millisFrom {
		seconds := v / 1000
		if v%1000 < 0 {
			seconds--
		}
		return seconds, unixMillis
	}
	return v, unixSeconds
}

func parseDate(s string) (int64, timeFormat) {
	if len(s) > 64 {
		return 0, noTime
	}
	for _, l := range []struct {
		layout string
		format timeFormat
	}{{time.RFC3339, rfc3339}, {"2006-01-02 15:04:05", dateTime}, {"2006-01-02T15:04:05", dateTime}, {time.DateOnly, dateOnly}} {
		if t, err := time.Parse(l.layout, s); err == nil {
			return t.Unix(), l.format
		}
	}
	return 0, noTime
}
