package option

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Option describes one option.
type Option struct {
	Name    string   // in the words of users
	Doc     string   // a noun phrase
	Group   string   // heading in help; may be empty
	Kind    Kind     // type of its value
	List    bool     // may be given several times; each time adds a value
	Choices []string // allowed values; nil: any
	Default string   // as Set reads it; "" where the default is the zero value
	Min     string   // smallest and largest value; "": no limit
	Max     string
	Old     []string // earlier names, still accepted
	Process bool     // has no part in the result and is not recorded

	field     reflect.Value
	owner     any // the struct pointer given to Of
	record    string
	omitEmpty bool
	when      []condition
	min, max  reflect.Value // of the field's type; invalid: no limit

	given      bool // by Set
	configured bool // by a configuration that serves many runs
	loaded     bool // by Load
	forbid     *refusal
}

// refusal is what Forbid says about an option.
type refusal struct {
	hint, reason string
	args         []any
}

// Set is the options of one or several structs. It is not safe for use by several
// goroutines at once.
type Set struct {
	options []*Option
	names   map[string]*Option // present and old names

	passedOver []error
}

// Of reads the tags of the structs that the arguments point to. What is set later is set
// in those structs. It panics on a mistake in the tags, on a name used twice, and on a
// condition about an option that the set does not have: all three are the programmer's.
func Of(structs ...any) *Set {
	s := &Set{names: map[string]*Option{}}
	for _, p := range structs {
		v := reflect.ValueOf(p)
		if v.Kind() != reflect.Pointer || v.IsNil() || v.Elem().Kind() != reflect.Struct {
			panic(fmt.Sprintf("option: %T is no pointer to a struct", p))
		}
		for _, o := range readStruct(v.Elem(), "", nil) {
			o.owner = p
			s.options = append(s.options, o)
			if s.names[o.Name] != nil {
				panic(fmt.Sprintf("option: two options are named %q", o.Name))
			}
			s.names[o.Name] = o
		}
	}
	for _, o := range s.options {
		o.Old = slices.DeleteFunc(o.Old, func(old string) bool { return s.names[old] != nil })
		for _, old := range o.Old {
			s.names[old] = o
		}
	}
	for _, o := range s.options {
		s.resolve(o)
	}
	for _, o := range s.options {
		s.refuseCycle(o, nil)
	}
	return s
}

// Default returns a struct of options with its defaults filled in.
func Default[T any]() T {
	var t T
	Of(&t).Defaults()
	return t
}

// Options returns the options in the order of the structs and their fields.
func (s *Set) Options() []*Option { return slices.Clone(s.options) }

// Structs returns the pointers that the set was made of, in their order.
func (s *Set) Structs() []any {
	var all []any
	for _, o := range s.options {
		if !slices.Contains(all, o.owner) {
			all = append(all, o.owner)
		}
	}
	return all
}

// Names returns the names of all options, or of those in the given structs, which must
// be among those given to Of.
func (s *Set) Names(structs ...any) []string {
	for _, p := range structs {
		if !slices.ContainsFunc(s.options, func(o *Option) bool { return o.owner == p }) {
			panic(fmt.Sprintf("option: %T has no options in this set", p))
		}
	}
	var names []string
	for _, o := range s.options {
		if len(structs) == 0 || slices.Contains(structs, o.owner) {
			names = append(names, o.Name)
		}
	}
	return names
}

// InGroup returns the names of a group's options. It panics where there are none.
func (s *Set) InGroup(group string) []string {
	var names []string
	for _, o := range s.options {
		if o.Group == group {
			names = append(names, o.Name)
		}
	}
	if names == nil {
		panic(fmt.Sprintf("option: no group %q in this set", group))
	}
	return names
}

// Lookup returns the option of a present or earlier name.
func (s *Set) Lookup(name string) (*Option, bool) {
	o, ok := s.names[name]
	return o, ok
}

// Defaults fills in the defaults of options that were not given and have the zero value.
// An option that is on by default and was switched off in the struct by the program would
// be switched on by it: such a program starts from Default and calls this no more.
func (s *Set) Defaults() {
	for _, o := range s.options {
		if !o.given && !o.loaded && o.Default != "" && o.field.IsZero() {
			o.mustParse(o.Default)
		}
	}
}

// SetDefault changes an option's default in this set, for a command that has its own,
// and fills it in unless the option was given.
func (s *Set) SetDefault(name, text string) {
	o := s.must(name)
	o.Default = text
	if !o.given {
		o.field.SetZero()
		o.mustParse(text)
	}
}

// Set reads an option's value from text and marks the option as given. A list grows by
// text; what its default held goes first. The error is the user's to mend.
func (s *Set) Set(name, text string) error {
	o, ok := s.names[name]
	if !ok {
		return usererr.New("", "there is no %s", usererr.Option(name))
	}
	v, err := o.parse(text)
	if err != nil {
		return err
	}
	if err := o.allow(v); err != nil {
		return err
	}
	if o.List && !o.given {
		o.field.SetZero()
	}
	o.store(v)
	o.given = true
	return nil
}

// Given reports whether Set gave the option a value.
func (s *Set) Given(name string) bool { return s.must(name).given }

// Configure marks an option that was given as one that a configuration for many runs
// gave, not the user of this one.
func (s *Set) Configure(name string) { s.must(name).configured = true }

// GivenNames returns the names of the options that Set gave a value.
func (s *Set) GivenNames() []string {
	var names []string
	for _, o := range s.options {
		if o.given {
			names = append(names, o.Name)
		}
	}
	return names
}

// Text returns an option's present value as Set reads it. The values of a list are
// separated by commas.
func (s *Set) Text(name string) string { return s.must(name).Text() }

// CopyGiven gives to those options of another set that were given in s their values, such
// as flags of today to the recorded options of an earlier run. Options that the other set
// does not have are left out. Both sets read the same struct types.
func (s *Set) CopyGiven(to *Set) {
	for _, o := range s.options {
		other, ok := to.names[o.Name]
		if !ok || !o.given {
			continue
		}
		other.field.Set(o.field)
		other.given, other.configured = true, o.configured
	}
}

// Allowed returns the choices as a sentence has them: a, b or c.
func (o *Option) Allowed() string { return alternatives(o.Choices) }

func (s *Set) must(name string) *Option {
	o, ok := s.names[name]
	if !ok {
		panic(fmt.Sprintf("option: no option %q in this set", name))
	}
	return o
}
