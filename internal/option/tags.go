package option

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// optionTags mean nothing on a field that is no option and no struct with options.
var optionTags = []string{"doc", "choices", "default", "min", "max", "old", "if", "runs"}

// readStruct returns the options of a struct. group and when are those of the structs
// around it.
func readStruct(v reflect.Value, group string, when []condition) []*Option {
	t := v.Type()
	for i := range t.NumField() {
		if f := t.Field(i); f.Name == "_" && f.Tag.Get("group") != "" {
			group = f.Tag.Get("group")
		}
	}
	var options []*Option
	for i := range t.NumField() {
		f := t.Field(i)
		where := t.String() + "." + f.Name
		name, isOption := f.Tag.Lookup("option")
		g := group
		if tag := f.Tag.Get("group"); tag != "" {
			g = tag
		}
		conditions := slices.Concat(when, mustConditions(where, f.Tag.Get("if")))
		switch {
		case isOption:
			options = append(options, readOption(where, name, f, v.Field(i), g, conditions))
		case f.Type.Kind() == reflect.Struct && f.Name != "_" && (f.IsExported() || f.Anonymous):
			options = append(options, readStruct(v.Field(i), g, conditions)...)
		default:
			for _, tag := range optionTags {
				if _, has := f.Tag.Lookup(tag); has {
					panic(fmt.Sprintf("option: %s has the tag %s but is no option", where, tag))
				}
			}
		}
	}
	return options
}

func readOption(where, name string, f reflect.StructField, v reflect.Value, group string, when []condition) *Option {
	bad := func(format string, args ...any) {
		panic("option: " + where + ": " + fmt.Sprintf(format, args...))
	}
	if !f.IsExported() || !v.CanSet() {
		bad("is not exported")
	}
	if !nameForm.MatchString(name) {
		bad("bad name %q", name)
	}
	o := &Option{Name: name, Doc: f.Tag.Get("doc"), Group: group, Choices: list(f.Tag.Get("choices")), Old: list(f.Tag.Get("old")),
		Default: f.Tag.Get("default"), Min: f.Tag.Get("min"), Max: f.Tag.Get("max"), field: v, when: when}
	var ok bool
	if o.Kind, o.List, ok = kindOf(f.Type); !ok {
		bad("type %s", f.Type)
	}
	if o.Doc == "" {
		bad("no doc")
	}
	for _, old := range o.Old {
		if !nameForm.MatchString(old) || old == name {
			bad("bad old name %q", old)
		}
	}
	switch runs, has := f.Tag.Lookup("runs"); {
	case runs == "process":
		o.Process = true
	case has:
		bad("runs %q", runs)
	}
	o.record, o.omitEmpty = jsonTag(f.Tag.Get("json"))
	switch o.record {
	case "":
		o.record = name
	case "-":
		if !o.Process {
			bad(`json:"-", but it has a part in the result`)
		}
	}
	o.readLimits(bad)
	return o
}

// readLimits reads the tags that are written as values of the option.
func (o *Option) readLimits(bad func(format string, args ...any)) {
	limit := func(tag, text string) (v reflect.Value) {
		if text == "" {
			return v
		}
		if o.List || o.Kind == String || o.Kind == Bool {
			bad("%s of a %s", tag, o.Kind)
		}
		v, err := o.parse(text)
		if err != nil {
			bad("%s: %v", tag, err)
		}
		return v
	}
	o.min, o.max = limit("min", o.Min), limit("max", o.Max)
	for _, c := range o.Choices {
		if _, err := o.parse(c); err != nil {
			bad("choices: %v", err)
		}
	}
	for _, text := range o.defaults() {
		v, err := o.parse(text)
		if err == nil {
			err = o.allow(v)
		}
		if err != nil {
			bad("default: %v", err)
		}
	}
}

// defaults returns the default as one text a value; a list has several or none.
func (o *Option) defaults() []string {
	switch {
	case o.List:
		return list(o.Default)
	case o.Default == "":
		return nil
	}
	return []string{o.Default}
}

func jsonTag(tag string) (name string, omitEmpty bool) {
	name, flags, _ := strings.Cut(tag, ",")
	for flag := range strings.SplitSeq(flags, ",") {
		omitEmpty = omitEmpty || flag == "omitempty" || flag == "omitzero"
	}
	return name, omitEmpty
}

// list splits at commas; nothing has no elements.
func list(text string) []string {
	if text == "" {
		return nil
	}
	parts := strings.Split(text, ",")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}
