package option

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Kind is the type of an option's value.
type Kind string

// The kinds of values.
const (
	String   Kind = "string"
	Bool     Kind = "bool"
	Int      Kind = "int"
	Uint     Kind = "uint"
	Float    Kind = "float"
	Duration Kind = "duration"
)

var durationType = reflect.TypeFor[time.Duration]()

func kindOf(t reflect.Type) (kind Kind, isList, ok bool) {
	switch t.Kind() {
	case reflect.Slice:
		return String, true, t.Elem().Kind() == reflect.String
	case reflect.Pointer:
		kind, isList, ok = kindOf(t.Elem())
		return kind, false, ok && !isList && t.Elem().Kind() != reflect.Pointer
	case reflect.String:
		return String, false, true
	case reflect.Bool:
		return Bool, false, true
	case reflect.Int, reflect.Int64:
		if t == durationType {
			return Duration, false, true
		}
		return Int, false, true
	case reflect.Uint64:
		return Uint, false, true
	case reflect.Float32, reflect.Float64:
		return Float, false, true
	}
	return "", false, false
}

// scalar is the type of one value: what a pointer points to, what a list holds.
func (o *Option) scalar() reflect.Type {
	t := o.field.Type()
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		return t.Elem()
	}
	return t
}

// parse reads one value, of the scalar type. Choices and limits are for allow.
func (o *Option) parse(text string) (reflect.Value, error) {
	v := reflect.New(o.scalar()).Elem()
	wrong := func(what string) (reflect.Value, error) {
		return v, usererr.New("", "%s must be %s, not %q", usererr.Option(o.Name), what, text)
	}
	switch o.Kind {
	case String:
		v.SetString(text)
	case Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return wrong("true or false")
		}
		v.SetBool(b)
	case Int:
		n, err := strconv.ParseInt(text, 10, v.Type().Bits())
		if err != nil {
			return wrong("a whole number")
		}
		v.SetInt(n)
	case Uint:
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return wrong("a whole number that is not negative")
		}
		v.SetUint(n)
	case Float:
		f, err := strconv.ParseFloat(text, v.Type().Bits())
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return wrong("a number")
		}
		v.SetFloat(f)
	case Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return wrong("a duration such as 90s, 5m or 1h30m")
		}
		v.SetInt(int64(d))
	}
	return v, nil
}

// mustParse sets the option to a default, which was checked when the tags were read or
// is the programmer's.
func (o *Option) mustParse(text string) {
	texts := []string{text}
	if o.List {
		texts = list(text)
	}
	for _, text := range texts {
		v, err := o.parse(text)
		if err != nil {
			panic("option: default: " + err.Error())
		}
		o.store(v)
	}
}

// store sets the option to a value, or adds it to a list.
func (o *Option) store(v reflect.Value) {
	switch o.field.Kind() {
	case reflect.Slice:
		o.field.Set(reflect.Append(clipped(o.field), v))
	case reflect.Pointer:
		p := reflect.New(v.Type())
		p.Elem().Set(v)
		o.field.Set(p)
	default:
		o.field.Set(v)
	}
}

// clipped returns the slice cut to its length, so that appending never writes into an
// array that another slice shares.
func clipped(v reflect.Value) reflect.Value { return v.Slice3(0, v.Len(), v.Len()) }

// values returns the option's present values: one, or for a list any number, or none for
// a nil pointer.
func (o *Option) values() []reflect.Value {
	switch o.field.Kind() {
	case reflect.Slice:
		var all []reflect.Value
		for i := range o.field.Len() {
			all = append(all, o.field.Index(i))
		}
		return all
	case reflect.Pointer:
		if o.field.IsNil() {
			return nil
		}
		return []reflect.Value{o.field.Elem()}
	}
	return []reflect.Value{o.field}
}

// allow refuses a value outside the choices or the limits.
func (o *Option) allow(v reflect.Value) error {
	text := textOf(v)
	if o.Choices != nil && !slices.Contains(o.Choices, text) {
		return usererr.New("", "%s must be %s, not %q", usererr.Option(o.Name), alternatives(o.Choices), text)
	}
	if o.Kind == Float && (math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0)) {
		return usererr.New("", "%s must be a number, not %s", usererr.Option(o.Name), text)
	}
	if o.min.IsValid() && less(v, o.min) {
		return usererr.New("", "%s must be at least %s, not %s", usererr.Option(o.Name), o.Min, text)
	}
	if o.max.IsValid() && less(o.max, v) {
		return usererr.New("", "%s must be at most %s, not %s", usererr.Option(o.Name), o.Max, text)
	}
	return nil
}

func less(a, b reflect.Value) bool {
	switch {
	case a.CanInt():
		return a.Int() < b.Int()
	case a.CanUint():
		return a.Uint() < b.Uint()
	}
	return a.Float() < b.Float()
}

// textOf writes a scalar so that parse reads the same value.
func textOf(v reflect.Value) string {
	switch {
	case v.Type() == durationType:
		return time.Duration(v.Int()).String()
	case v.Kind() == reflect.String:
		return v.String()
	case v.Kind() == reflect.Bool:
		return strconv.FormatBool(v.Bool())
	case v.CanInt():
		return strconv.FormatInt(v.Int(), 10)
	case v.CanUint():
		return strconv.FormatUint(v.Uint(), 10)
	}
	return strconv.FormatFloat(v.Float(), 'g', -1, v.Type().Bits())
}

// Text returns the present value as Set reads it, the values of a list separated by
// commas; "" for a nil pointer.
func (o *Option) Text() string {
	var texts []string
	for _, v := range o.values() {
		texts = append(texts, textOf(v))
	}
	return strings.Join(texts, ",")
}

// recordText is Text for records: a list is a JSON array, so that commas in its values
// cannot be mistaken.
func (o *Option) recordText() string {
	if !o.List {
		return o.Text()
	}
	texts := []string{}
	for _, v := range o.values() {
		texts = append(texts, textOf(v))
	}
	raw, err := json.Marshal(texts)
	if err != nil {
		panic("option: " + err.Error()) // strings always encode
	}
	return string(raw)
}

// on reports whether the option is on or has a value.
func (o *Option) on() bool {
	switch o.field.Kind() {
	case reflect.Slice:
		return o.field.Len() > 0
	case reflect.Pointer:
		return !o.field.IsNil() && (o.Kind != Bool || o.field.Elem().Bool())
	}
	return !o.field.IsZero()
}

// alternatives joins words as a sentence does: a, b or c.
func alternatives(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
