package option

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Check returns an error about the first option that was given but has no effect beside
// the others, or whose value is not allowed. An option that the program set in the struct
// to something other than its default counts as given. The error is the user's to mend.
//
// What a configuration gave serves many calls, and need not have an effect in each. Check
// takes such a value back where what was given for this call leaves it none, and
// PassedOver says so.
func (s *Set) Check() error {
	for _, o := range s.options {
		if !o.stated() {
			continue
		}
		if err := o.effect(o.Name); err != nil {
			if !o.configured || !o.overruled() {
				return err
			}
			o.takeBack()
			s.passedOver = append(s.passedOver, err)
			continue
		}
		for _, v := range o.values() {
			if err := o.allow(v); err != nil {
				return err
			}
		}
	}
	return nil
}

// overruled reports whether o lost its effect by something else than the configuration
// itself: by Forbid, or by an option given for this call.
func (o *Option) overruled() bool {
	if o.forbid != nil {
		return true
	}
	for _, c := range o.when {
		if !c.not && c.option.effect(c.option.Name) != nil {
			return c.option.overruled()
		}
		if !c.holds() {
			return c.option.given && !c.option.configured
		}
	}
	return false
}

// PassedOver returns, for each value of a configuration that Check took back, an error
// that says why it has no effect.
func (s *Set) PassedOver() []error { return s.passedOver }

// takeBack gives the option the value that it has where nobody gives it one.
func (o *Option) takeBack() {
	o.given, o.configured = false, false
	o.field.SetZero()
	if o.Default != "" {
		o.mustParse(o.Default)
	}
}

// Forbid takes the effect from options, for a reason that the tags cannot know. The
// reason goes on after "has no effect", is formatted with args, and may name options by
// values of type usererr.Option:
//
//	set.Forbid(set.Names(&pictures), "Leave it out.", "with %s", usererr.Option("user"))
//	set.Forbid(set.InGroup("Encoder"), hint, "in a workspace that uses imported vectors")
func (s *Set) Forbid(names []string, hint, reason string, args ...any) {
	for _, name := range names {
		s.must(name).forbid = &refusal{hint, reason, args}
	}
}

// stated reports whether the user or the program chose the option's value.
func (o *Option) stated() bool {
	if o.given {
		return true
	}
	return !o.loaded && o.on() && o.Text() != o.defaultText()
}

// defaultText is the default as Text writes it.
func (o *Option) defaultText() string {
	var texts []string
	for _, text := range o.defaults() {
		if v, err := o.parse(text); err == nil {
			texts = append(texts, textOf(v))
		}
	}
	return strings.Join(texts, ",")
}

// effect returns why o means nothing, in an error about the option called name, or nil.
func (o *Option) effect(name string) error {
	if f := o.forbid; f != nil {
		return usererr.New(f.hint, "%s has no effect "+f.reason, slices.Concat([]any{usererr.Option(name)}, f.args)...)
	}
	for _, c := range o.when {
		if !c.not { // an option without effect has no value that another could depend on
			if err := c.option.effect(name); err != nil {
				return err
			}
		}
		if !c.holds() {
			return c.refuse(name)
		}
	}
	return nil
}

// refuse is the error about the option called name where c does not hold.
func (c condition) refuse(name string) error {
	me, other := usererr.Option(name), usererr.Option(c.name)
	switch {
	case c.values != nil && c.not:
		hint := fmt.Sprintf("Leave out %s, or give %s another value.", me, other)
		if rest := c.remaining(); len(rest) > 0 {
			hint = fmt.Sprintf("It belongs to %s %s.", other, alternatives(rest))
		}
		return usererr.New(hint, "%s has no effect with %s %s", me, other, c.option.Text())
	case c.values != nil:
		hint := fmt.Sprintf("It belongs to %s %s.", other, alternatives(c.values))
		if c.option.Text() == "" {
			return usererr.New(hint, "%s has no effect without %s", me, other)
		}
		return usererr.New(hint, "%s has no effect with %s %s", me, other, c.option.Text())
	case c.not:
		return usererr.New("Leave out one of the two.", "%s has no effect with %s", me, other)
	case c.option.Kind == Bool && c.option.Default == "true":
		return usererr.New("Leave out one of the two.", "%s has no effect with %s=false", me, other)
	}
	return usererr.New(fmt.Sprintf("Give %s too, or leave out %s.", other, me), "%s has no effect without %s", me, other)
}

// remaining returns the choices of c's option that c does not exclude.
func (c condition) remaining() []string {
	return slices.DeleteFunc(slices.Clone(c.option.Choices), func(v string) bool { return slices.Contains(c.values, v) })
}

// When says in a phrase when the option has an effect, such as
//
//	with option "encoder" minilm or tei
//
// and "" for one that always has. Options in it are spelled by usererr.SpellText.
func (o *Option) When() string {
	var with, without []string
	for _, c := range o.when {
		other := usererr.Option(c.name).String()
		rest := c.remaining()
		switch {
		case c.values != nil && c.not && len(rest) > 0:
			with = append(with, other+" "+alternatives(rest))
		case c.values != nil && c.not:
			without = append(without, other+" "+alternatives(c.values))
		case c.values != nil:
			with = append(with, other+" "+alternatives(c.values))
		case c.not:
			without = append(without, other)
		case c.option.Kind == Bool && c.option.Default == "true":
			without = append(without, other+"=false")
		default:
			with = append(with, other)
		}
	}
	var parts []string
	if len(with) > 0 {
		parts = append(parts, "with "+strings.Join(with, " and "))
	}
	if len(without) > 0 {
		parts = append(parts, "without "+strings.Join(without, " and "))
	}
	return strings.Join(parts, ", ")
}
