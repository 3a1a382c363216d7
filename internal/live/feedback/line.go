// Package feedback writes the events of a shop as JSON lines and reads them back.
package feedback

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/live"
)

// line is an event as it is written; what is absent was not said.
type line struct {
	Seq      int64          `json:"seq,omitempty"`
	Key      string         `json:"key,omitempty"`
	User     string         `json:"user"`
	Item     string         `json:"item"`
	Type     live.EventType `json:"type"`
	Time     time.Time      `json:"time,omitzero"`
	Weight   *float64       `json:"weight,omitempty"`
	Arm      string         `json:"arm,omitempty"`
	Request  string         `json:"request,omitempty"`
	Received time.Time      `json:"received,omitzero"`
}

// encode writes an event as one line, with its end.
func encode(w io.Writer, e live.Event) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(line{e.Seq, e.Key, e.User, e.Item, e.Type, e.Time, e.Weight, e.Arm, e.Request, e.Received})
}

// decode reads a line and checks the event. It takes one JSON object whose fields are known, have
// exactly their names and stand there once: a field that is misspelt would change what a shop
// learns. What encoding/json would replace without a word is refused.
func decode(raw []byte) (live.Event, error) {
	if !utf8.Valid(raw) {
		return live.Event{}, errors.New("it is not valid UTF-8")
	}
	if loneSurrogate(raw) {
		return live.Event{}, errors.New("it has half of a surrogate pair, which is no character")
	}
	l, err := decodeFields(raw)
	if err != nil {
		return live.Event{}, err
	}
	e := live.Event{Key: l.Key, User: l.User, Item: l.Item, Type: l.Type, Time: l.Time, Weight: l.Weight, Arm: l.Arm, Request: l.Request, Received: l.Received}
	return e, live.CheckEvent(&e)
}

func decodeFields(raw []byte) (l line, err error) {
	into := map[string]any{"seq": &l.Seq, "key": &l.Key, "user": &l.User, "item": &l.Item, "type": &l.Type, "time": &l.Time,
		"weight": &l.Weight, "arm": &l.Arm, "request": &l.Request, "received": &l.Received}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return l, errors.New("it is no JSON object")
	}
	met := map[string]bool{}
	for dec.More() {
		t, err := dec.Token()
		if err != nil {
			return l, fmt.Errorf("it is no JSON object: %w", err)
		}
		name, _ := t.(string) // names of an object are strings
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return l, fmt.Errorf("field %.40q: %w", name, err)
		}
		switch {
		case into[name] == nil:
			return l, fmt.Errorf("the field %.40q is unknown", name)
		case met[name]:
			return l, fmt.Errorf("the field %q is there twice", name)
		case string(value) == "null":
			return l, fmt.Errorf("the field %q is null: leave it out", name)
		}
		met[name] = true
		if err := json.Unmarshal(value, into[name]); err != nil {
			return l, fmt.Errorf("field %q: %w", name, err)
		}
	}
	if _, err := dec.Token(); err != nil { // the end of the object
		return l, fmt.Errorf("it is no JSON object: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return l, errors.New("something follows the JSON object")
	}
	return l, nil
}

// loneSurrogate reports whether a text of JSON has an escape of half a surrogate pair.
func loneSurrogate(raw []byte) bool {
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			continue
		}
		switch unit, ok := escaped(raw[i:]); {
		case !ok: // another escape, of two bytes
			i++
		case unit < 0xd800 || unit > 0xdfff:
			i += 5
		default:
			low, ok := escaped(raw[min(i+6, len(raw)):])
			if unit > 0xdbff || !ok || low < 0xdc00 || low > 0xdfff {
				return true
			}
			i += 11
		}
	}
	return false
}

// escaped reads \uXXXX.
func escaped(raw []byte) (unit int, ok bool) {
	if len(raw) < 6 || raw[0] != '\\' || raw[1] != 'u' {
		return 0, false
	}
	for _, c := range raw[2:6] {
		digit := bytes.IndexByte([]byte("0123456789abcdef"), c|0x20)
		if digit < 0 {
			return 0, false
		}
		unit = unit<<4 | digit
	}
	return unit, true
}
