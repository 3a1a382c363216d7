package moment

import (
	"fmt"
	"strings"
	"time"
)

// layouts are those of dates with time, the zone cut off: ISO 8601 and its relatives, then
// what GNU date, C, mail, browsers and web servers write. Go reads a fraction of a second
// behind the seconds by itself.
var layouts = []string{
	"2006-1-2T15:4:5", "2006-1-2 15:4:5", "2006/1/2 15:4:5", "2006-1-2T15:4", "2006-1-2 15:4", "2006/1/2 15:4", "20060102T150405", "20060102 150405", "20060102T1504",
	"2006-1-2 3:4:5 PM", "2006/1/2 3:4:5 PM",
	"Mon Jan _2 15:04:05 2006", "Mon Jan _2 03:04:05 PM 2006", "Mon Jan 2 2006 15:04:05", // C and date; browsers
	"Mon 2 Jan 15:04:05 2006", "Mon 2 Jan 2006 15:04:05", "Mon 2 Jan 2006 03:04:05 PM", // date in other places
	"Mon, 2 Jan 2006 15:04:05", "2 Jan 2006 15:04:05", "Mon, 2 Jan 2006 15:04", // mail
	"2/Jan/2006:15:04:05",                                     // web servers
	"2.1.2006 15:4:5", "2.1.2006 15:4", "2-Jan-2006 15:04:05", // with points the day comes first everywhere; databases
}

var days = []string{"2006-1-2", "2006/1/2", "2 Jan 2006", "2-Jan-2006", "Jan 2, 2006", "Mon, 2 Jan 2006", "2.1.2006"}

// date reads a date.
func date(s string) (Time, Format, string) {
	if strings.IndexFunc(s, func(r rune) bool { return r >= 0x80 }) >= 0 {
		return Time{}, None, noTime
	}
	for _, l := range days {
		if t, err := time.Parse(l, s); err == nil {
			return bounded(Time{Seconds: t.Unix()}, Date)
		}
	}
	text, offset, format, why := cutZone(s)
	if why != "" {
		return Time{}, None, why
	}
	text = strings.ToUpper(strings.Join(strings.Fields(text), " ")) // t for T, pm for PM
	for _, l := range layouts {
		if t, err := time.Parse(l, text); err == nil {
			return bounded(Time{t.Unix() - int64(offset), int32(t.Nanosecond())}, format)
		}
	}
	return Time{}, None, noTime
}

// zones are abbreviations that mean one thing everywhere that they are used much. CST, IST
// and BST mean several.
var zones = map[string]int{"Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "WET": 0, "WEST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3,
	"EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "JST": 9, "KST": 9}

// words that stand in dates and are no zones.
var notZones = map[string]bool{"AM": true, "PM": true, "T": true}

// cutZone takes the zone out of a date and returns its offset in seconds: Z, +02, +0200,
// +02:00, UTC, "+0200 CEST", GMT+0200, also where the year follows it, as date writes it.
func cutZone(s string) (text string, offset int, format Format, why string) {
	if open := strings.Index(s, " ("); open > 0 && strings.HasSuffix(s, ")") {
		s = s[:open] // browsers explain the offset
	}
	if open := strings.IndexByte(s, '['); open > 0 && strings.HasSuffix(s, "]") && (s[open-1] == 'Z' || strings.ContainsAny(s[max(0, open-6):open], "+-")) {
		s = s[:open] // Java names the place behind the offset
	}
	format = Local
	var kept []string
	for i, word := range strings.Fields(s) {
		head, zone := zoneOf(word, i)
		if zone == "" {
			kept = append(kept, word)
			continue
		}
		n, ok := offsetOf(zone)
		if !ok {
			return "", 0, None, fmt.Sprintf("has the zone %q, which is not known or means several; write an offset such as +02:00", zone)
		}
		if head != "" {
			kept = append(kept, head)
		}
		if format == Local || strings.ContainsAny(zone, "+-") { // an offset says more than the name beside it
			offset = n
		}
		format = Zoned
	}
	return strings.Join(kept, " "), offset, format, ""
}

// zoneOf splits a word into what is before a zone and the zone; i is the word's number.
func zoneOf(word string, i int) (head, zone string) {
	upper := strings.ToUpper(word)
	if isOffset(word) && i > 0 || isName(upper) && (i > 1 || i == 1 && !months[upper]) {
		return "", word
	}
	clock := strings.LastIndexByte(word, ':')
	if tee := strings.IndexByte(upper, 'T'); tee > 0 && word[tee-1] >= '0' && word[tee-1] <= '9' {
		clock = max(clock, tee)
		if colon := strings.IndexByte(word[tee:], ':'); colon >= 0 {
			clock = tee + colon
		}
	} else if clock >= 0 {
		clock = strings.IndexByte(word, ':')
	}
	if clock < 0 {
		return word, ""
	}
	rest := word[clock:]
	for at, c := range rest {
		switch {
		case c == '+' || c == '-':
			return word[:clock+at], rest[at:]
		case at > 0 && (c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'):
			if name := strings.ToUpper(rest[at:]); isName(name) && !months[name] {
				return word[:clock+at], rest[at:]
			}
			return word, ""
		}
	}
	return word, ""
}

var months = map[string]bool{"JAN": true, "FEB": true, "MAR": true, "APR": true, "MAY": true, "JUN": true, "JUL": true, "AUG": true, "SEP": true, "OCT": true, "NOV": true, "DEC": true}

// isName reports whether a word in capitals may name a zone, with an offset behind it or
// not.
func isName(word string) bool {
	if at := strings.IndexAny(word, "+-"); at > 0 {
		return (word[:at] == "GMT" || word[:at] == "UTC") && isOffset(word[at:])
	}
	if len(word) > 5 || len(word) == 0 || notZones[word] || months[word] || weekdays[word] {
		return false
	}
	for _, c := range word {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

var weekdays = map[string]bool{"MON": true, "TUE": true, "WED": true, "THU": true, "FRI": true, "SAT": true, "SUN": true}

// isOffset reports whether a word is an offset: a sign, two to six digits, colons.
func isOffset(word string) bool {
	if len(word) < 3 || word[0] != '+' && word[0] != '-' {
		return false
	}
	for _, c := range word[1:] {
		if c != ':' && (c < '0' || c > '9') {
			return false
		}
	}
	return true
}

// offsetOf returns a zone's offset in seconds.
func offsetOf(zone string) (int, bool) {
	upper := strings.ToUpper(zone)
	if hours, ok := zones[upper]; ok {
		return hours * 3600, true
	}
	if rest, ok := strings.CutPrefix(strings.TrimPrefix(upper, "UTC"), "GMT"); ok || rest != upper {
		upper = rest
	}
	if !isOffset(upper) {
		return 0, false
	}
	digits := strings.ReplaceAll(upper[1:], ":", "")
	if len(digits) != 2 && len(digits) != 4 && len(digits) != 6 {
		return 0, false
	}
	n := 0
	for part, unit := 0, 3600; part < len(digits); part, unit = part+2, unit/60 {
		v := int(digits[part]-'0')*10 + int(digits[part+1]-'0')
		if part == 0 && v > 18 || part > 0 && v > 59 {
			return 0, false
		}
		n += v * unit
	}
	if upper[0] == '-' {
		n = -n
	}
	return n, true
}
