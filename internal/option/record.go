package option

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Record returns the values that a result depends on, by the names of the tag json: of
// every option in the set, or of those in the given structs. Options without effect
// beside the present values are left out, as are those that only say how the work is
// done and nil pointers. The record depends on the values alone, not on how they came
// about, so that equal work has equal records. A Go map encodes as JSON in the order of
// its keys: json.Marshal of the record is canonical.
func (s *Set) Record(structs ...any) map[string]string {
	record := map[string]string{}
	for _, o := range s.of(structs) {
		if o.Process || o.omitEmpty && o.field.IsZero() || len(o.values()) == 0 && !o.List || o.effect(o.Name) != nil {
			continue
		}
		if _, twice := record[o.record]; twice {
			panic(fmt.Sprintf("option: two options are recorded as %q", o.record))
		}
		record[o.record] = o.recordText()
	}
	return record
}

// Load sets options from a record and marks none of them as given. An option that Record
// leaves out where it is zero or nil becomes so where the record does not mention it; the
// others that it does not mention keep their values. A name that no option has, or a
// value that cannot be read, is an error of usererr.KindDamaged.
func (s *Set) Load(record map[string]string, structs ...any) error {
	options := s.of(structs)
	known := map[string]bool{}
	for _, o := range options {
		text, ok := record[o.record]
		if !ok || o.Process {
			continue
		}
		known[o.record] = true
		if err := o.load(text); err != nil {
			return usererr.WrapAs(usererr.KindDamaged, fmt.Errorf("read recorded options: %w", err), "")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(record)) {
		if !known[name] {
			return usererr.Of(usererr.KindDamaged, "Another version of the program may have written it.", "read recorded options: unknown name %q", name)
		}
	}
	for _, o := range options {
		canBeLeftOut := o.omitEmpty || o.field.Kind() == reflect.Pointer
		if !o.Process && !known[o.record] && canBeLeftOut && o.effect(o.Name) == nil {
			o.field.SetZero()
			o.loaded = true
		}
	}
	return nil
}

func (o *Option) load(text string) error {
	texts := []string{text}
	if o.List {
		if err := json.Unmarshal([]byte(text), &texts); err != nil {
			return fmt.Errorf("list %s: %w", o.Name, err)
		}
		o.field.SetZero()
	}
	for _, text := range texts {
		v, err := o.parse(text)
		if err != nil {
			return err
		}
		o.store(v)
	}
	o.loaded = true
	return nil
}

// of returns the options of the given structs, or all.
func (s *Set) of(structs []any) []*Option {
	if len(structs) == 0 {
		return s.options
	}
	var all []*Option
	for _, name := range s.Names(structs...) {
		all = append(all, s.names[name])
	}
	return all
}
