package secret

import (
	"bytes"
	"encoding/json"
	"io"
	"reflect"
)

// Clean redacts every string in what v, a pointer, leads to: fields, elements, keys and
// values of maps, and what is still JSON. Numbers cost nothing.
func Clean(v any) {
	if m := registry.Load(); m != nil {
		clean(reflect.ValueOf(v), m)
	}
}

var rawMessage = reflect.TypeFor[json.RawMessage]()

func clean(v reflect.Value, m *matcher) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			clean(v.Elem(), m)
		}
	case reflect.Interface:
		if v.IsNil() || !v.CanSet() {
			return
		}
		inner := reflect.New(v.Elem().Type()).Elem()
		inner.Set(v.Elem())
		clean(inner, m)
		v.Set(inner)
	case reflect.String:
		if v.CanSet() {
			v.SetString(m.redact(v.String()))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				clean(v.Field(i), m)
			}
		}
	case reflect.Slice:
		if v.Type() == rawMessage {
			cleanRaw(v, m)
			return
		}
		if holdsText(v.Type().Elem()) {
			for i := range v.Len() {
				clean(v.Index(i), m)
			}
		}
	case reflect.Array:
		if holdsText(v.Type().Elem()) {
			for i := range v.Len() {
				clean(v.Index(i), m)
			}
		}
	case reflect.Map:
		cleanMap(v, m)
	}
}

// holdsText reports whether values of a type can hold a string.
func holdsText(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64,
		reflect.Float32, reflect.Float64, reflect.Complex64, reflect.Complex128:
		return false
	case reflect.Slice, reflect.Array:
		return t == rawMessage || holdsText(t.Elem())
	}
	return true
}

func cleanMap(v reflect.Value, m *matcher) {
	if v.IsNil() {
		return
	}
	for _, key := range v.MapKeys() {
		k, value := reflect.New(key.Type()).Elem(), reflect.New(v.Type().Elem()).Elem()
		k.Set(key)
		value.Set(v.MapIndex(key))
		clean(k, m)
		clean(value, m)
		if !k.Equal(key) {
			v.SetMapIndex(key, reflect.Value{})
		}
		v.SetMapIndex(k, value)
	}
}

// cleanRaw decodes what is still JSON where a secret may be in it, so that it is JSON
// afterwards; what is none is redacted as text.
func cleanRaw(v reflect.Value, m *matcher) {
	raw := v.Bytes()
	without := m.redact(string(raw))
	if without == string(raw) {
		return
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var decoded any
	if d.Decode(&decoded) == nil {
		clean(reflect.ValueOf(&decoded).Elem(), m)
		if out, err := json.Marshal(decoded); err == nil && m.redact(string(out)) == string(out) {
			v.SetBytes(out)
			return
		}
	}
	// No JSON, or a secret in the parts of a list: what holds it says nothing more.
	if quoted, err := json.Marshal(without); err == nil {
		v.SetBytes(quoted)
	}
}

// Writer redacts what goes through it to w. Each Write is taken for a whole: the program
// writes lines, tables and JSON values at once.
//
// Where w is a file, the result has its descriptor, so that a terminal can be told.
func Writer(w io.Writer) io.Writer {
	if f, ok := w.(interface{ Fd() uintptr }); ok {
		return described{writer{w}, f}
	}
	return writer{w}
}

type writer struct{ to io.Writer }

type described struct {
	writer
	file interface{ Fd() uintptr }
}

func (d described) Fd() uintptr { return d.file.Fd() }

func (w writer) Write(p []byte) (int, error) {
	m := registry.Load()
	if m == nil {
		return w.to.Write(p)
	}
	if _, err := w.to.Write([]byte(m.redact(string(p)))); err != nil {
		return 0, err
	}
	return len(p), nil
}
