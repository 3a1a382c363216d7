package moment

import (
	"strings"
	"testing"
	"time"
)

const at = 1400000000 // 2014-05-13 16:53:20 UTC, a Tuesday

func TestParse(t *testing.T) {
	for text, want := range map[string]struct {
		seconds int64
		nanos   int32
		format  Format
	}{
		"1400000000": {at, 0, Seconds}, "1.4e9": {at, 0, Seconds}, "1400000000.0": {at, 0, Seconds}, "1400000000.5": {at, 500_000_000, Seconds}, "-1": {-1, 0, Seconds}, "0": {0, 0, Seconds}, " 5 ": {5, 0, Seconds},
		"1400000000123": {at, 123_000_000, Millis}, "-100000000001": {-100000001, 999_000_000, Millis}, "1400000000123456": {at, 123_456_000, Micros},
		"1400000000123456789": {at, 123_456_789, Nanos}, "1.4e18": {at, 0, Nanos}, "1400000000000.0": {at, 0, Millis},
		// RFC 3339, pandas, polars
		"2014-05-13T16:53:20Z": {at, 0, Zoned}, "2014-05-13t16:53:20z": {at, 0, Zoned}, "2014-05-13T18:53:20.5+02:00": {at, 500_000_000, Zoned}, "2014-05-13 16:53:20+00:00": {at, 0, Zoned},
		"2014-05-13 16:53:20.000001+00:00": {at, 1000, Zoned}, "2014-05-13 16:53:20": {at, 0, Local}, "2014-05-13T16:53:20": {at, 0, Local}, "2014-05-13 16:53:20.25": {at, 250_000_000, Local},
		"2014-05-13 16:53:20,25": {at, 250_000_000, Local}, "2014-05-13T16:53Z": {at - 20, 0, Zoned}, "2014-05-13 16:53": {at - 20, 0, Local}, "2014-05-13T16:53:20-0330": {at + 12600, 0, Zoned},
		// PostgreSQL
		"2014-05-13 16:53:20+00": {at, 0, Zoned}, "2014-05-13 16:53:20.5-03": {at + 10800, 500_000_000, Zoned}, "2014-05-13 22:23:20+05:30": {at, 0, Zoned}, "2014-05-13 17:12:52+00:19:32": {at, 0, Zoned},
		// BigQuery, Go, Ruby
		"2014-05-13 16:53:20 UTC": {at, 0, Zoned}, "2014-05-13 16:53:20.123 UTC": {at, 123_000_000, Zoned}, "2014-05-13 16:53:20 +0000 UTC": {at, 0, Zoned}, "2014-05-13 18:53:20 +0200 CEST": {at, 0, Zoned},
		"2014-05-13 18:53:20 +0200": {at, 0, Zoned}, "2014-05-13 16:53:20Z": {at, 0, Zoned},
		// GNU date: as it is, -R, -Iseconds, --rfc-3339, in English of other places
		"Tue May 13 16:53:20 UTC 2014": {at, 0, Zoned}, "Tue May 13 18:53:20 CEST 2014": {at, 0, Zoned}, "Tue May 13 04:53:20 PM UTC 2014": {at, 0, Zoned}, "Tue 13 May 2014 04:53:20 PM UTC": {at, 0, Zoned},
		"Tue 13 May 16:53:20 UTC 2014": {at, 0, Zoned}, "Tue, 13 May 2014 16:53:20 +0000": {at, 0, Zoned}, "Tue May 13 16:53:20 +00 2014": {at, 0, Zoned}, "Tue May  6 16:53:20 UTC 2014": {at - 7*86400, 0, Zoned},
		"Sat Mar  1 00:00:00 UTC 2014": {1393632000, 0, Zoned},
		// C, mail, browsers, web servers, numbers of warehouses
		"Tue May 13 16:53:20 2014": {at, 0, Local}, "Tue, 13 May 2014 16:53:20 GMT": {at, 0, Zoned}, "Tue May 13 2014 18:53:20 GMT+0200 (Central European Summer Time)": {at, 0, Zoned},
		"13/May/2014:16:53:20 +0000": {at, 0, Zoned}, "Tue May 13 16:53:20 +0000 2014": {at, 0, Zoned}, "20140513T165320Z": {at, 0, Zoned}, "20140513165320": {at, 0, Local},
		"2014-05-13T18:53:20+02:00[Europe/Berlin]": {at, 0, Zoned}, "2014-05-13T16:53:20Z[UTC]": {at, 0, Zoned}, "2014-05-13T16:53:20.000+0000": {at, 0, Zoned}, "2014-05-13 18:53:20.0000000 +02:00": {at, 0, Zoned},
		"13.05.2014 16:53:20": {at, 0, Local}, "13.5.2014 16:53": {at - 20, 0, Local}, "13.05.2014": {1399939200, 0, Date}, "13-MAY-2014 16:53:20": {at, 0, Local}, "13-May-2014": {1399939200, 0, Date},
		"2014/05/13 16:53:20": {at, 0, Local}, "2014-05-13 4:53:20 PM": {at, 0, Local}, "2014-05-13 04:53:20 pm UTC": {at, 0, Zoned},
		"2014-05-13": {1399939200, 0, Date}, "2014/5/13": {1399939200, 0, Date}, "1969-12-31": {-86400, 0, Date}, "20140513": {1399939200, 0, NumberDate},
	} {
		var c Column
		got, format, why := c.Parse(text)
		if got != (Time{want.seconds, want.nanos}) || format != want.format || why != "" {
			t.Errorf("%q = %+v, %v, %q; want %+v", text, got, format, why, want)
		}
	}
	for _, text := range []string{"", "now", "NaN", "Inf", "0x1p3", "1e300", "13/05/2014", "05/13/2014", "2014-13-01", "2014-02-30", "2014-05-13 25:00:00", strings.Repeat("9", 100), strings.Repeat("9", 19),
		"50000000000", "637000000000000000", "132241680000000000", "-3000000000", "13000000000000000", "9000000000000", "0001-01-01T00:00:00Z", "9999-12-31 00:00:00", "2014-05-13 16:53:20+99", "2014-05-13 16:53:20+1", "2014-05-13 16:53:20 XYZ",
		"Tue May 13 16:53:20 CST 2014", "2014-05-13 16:53:20 IST", "2014-05-13 16:53:20 Europe/Berlin", "May", "UTC", "16:53:20", "+02:00", "2014-05-13 UTC"} {
		var c Column
		if got, format, why := c.Parse(text); why == "" || format != None {
			t.Errorf("%q was taken for %v, %+v", text, format, got)
		}
	}
}

// A column is of one kind, whichever two are mixed.
func TestColumnsDoNotMix(t *testing.T) {
	one := []string{"1400000000", "1400000000000", "1400000000000000", "1400000000000000000", "2014-05-13T16:53:20Z", "2014-05-13 16:53:20", "2014-05-13", "20140513"}
	for i, first := range one {
		for j, second := range one {
			var c Column
			_, format, why := c.Parse(first)
			if why != "" {
				t.Fatal(why)
			}
			c.Settle(format)
			if _, _, why := c.Parse(second); (why == "") != (i == j) && !(i == 0 && j == 7) { // after seconds, a small number is one
				t.Errorf("%s, then %s: %q", first, second, why)
			}
		}
	}
	var c Column
	c.Settle(Zoned)
	if _, _, why := c.Parse("2014-05-13 16:53:20 UTC"); why != "" {
		t.Errorf("two ways to write a zone: %s", why)
	}
	c = Column{}
	c.Settle(Seconds)
	if got, _, why := c.Parse("20140513"); got.Seconds != 20140513 || why != "" {
		t.Errorf("a counter that passes a date: %+v, %q", got, why)
	}
}

// Whatever the text is, the time is within the bounds, and what Go writes is read back.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"Tue May 13 16:53:20 CEST 2014", "2014-05-13 18:53:20 +0200 CEST", "GMT+02", "1.4e18", "20140513T165320Z"} {
		f.Add(s, int64(at), uint8(0))
	}
	written := []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999-07", time.UnixDate, time.RFC1123Z, time.RubyDate, "2006-01-02 15:04:05 MST", "2006-01-02 15:04:05.999999999 -0700 MST"}
	f.Fuzz(func(t *testing.T, s string, sec int64, layout uint8) {
		var c Column
		if got, format, why := c.Parse(s); (format == None) != (why != "") || got.Seconds < earliest || got.Seconds > latest || got.Nanos < 0 || got.Nanos > 999_999_999 {
			t.Fatalf("%q: %+v, %v, %q", s, got, format, why)
		}
		if sec < earliest || sec > latest {
			return
		}
		text := time.Unix(sec, 0).UTC().Format(written[int(layout)%len(written)])
		if got, format, why := c.Parse(text); why != "" || got.Seconds != sec || format != Zoned {
			t.Fatalf("%q: %+v, %v, %q", text, got, format, why)
		}
	})
}
