package option

import (
	"fmt"
	"slices"
	"strings"
)

// condition is one term of the tag "if".
type condition struct {
	name   string
	not    bool
	values []string // nil: whether the option is on or has a value
	option *Option
}

// parseConditions reads the tag "if".
func parseConditions(tag string) ([]condition, error) {
	if strings.TrimSpace(tag) == "" {
		return nil, nil
	}
	var all []condition
	for term := range strings.SplitSeq(tag, ";") {
		c, err := parseCondition(strings.TrimSpace(term))
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, nil
}

func parseCondition(term string) (condition, error) {
	name, values, compares := strings.Cut(term, "=")
	c := condition{name: name}
	if compares {
		c.name, c.not = strings.CutSuffix(name, "!")
		c.values = strings.Split(values, "|")
		for _, v := range c.values {
			if v == "" || strings.TrimSpace(v) != v || strings.ContainsAny(v, "=!") {
				return c, fmt.Errorf("bad value %q in %q", v, term)
			}
		}
	} else {
		c.name, c.not = strings.CutPrefix(name, "!")
	}
	if !nameForm.MatchString(c.name) {
		return c, fmt.Errorf("bad name %q in %q", c.name, term)
	}
	return c, nil
}

func mustConditions(where, tag string) []condition {
	all, err := parseConditions(tag)
	if err != nil {
		panic(fmt.Sprintf("option: %s: if: %v", where, err))
	}
	return all
}

// String writes the condition as the tag has it.
func (c condition) String() string {
	switch {
	case c.values == nil && c.not:
		return "!" + c.name
	case c.values == nil:
		return c.name
	case c.not:
		return c.name + "!=" + strings.Join(c.values, "|")
	}
	return c.name + "=" + strings.Join(c.values, "|")
}

// resolve finds the options that o's conditions name and checks their values.
func (s *Set) resolve(o *Option) {
	o.when = slices.Clone(o.when) // conditions of a struct are shared by its options
	for i := range o.when {
		c := &o.when[i]
		bad := func(format string, args ...any) {
			panic(fmt.Sprintf("option: %s: if %s: ", o.Name, c) + fmt.Sprintf(format, args...))
		}
		c.option = s.names[c.name]
		if c.option == nil || c.option.Name != c.name {
			bad("no such option")
		}
		if c.values != nil && (c.option.Kind == Bool || c.option.List) {
			bad("write %s or !%s", c.name, c.name)
		}
		for j, text := range c.values {
			v, err := c.option.parse(text)
			if err == nil {
				err = c.option.allow(v)
			}
			if err != nil {
				bad("%v", err)
			}
			c.values[j] = textOf(v)
		}
	}
}

// refuseCycle panics where an option has an effect only if it has an effect.
func (s *Set) refuseCycle(o *Option, path []*Option) {
	if slices.Contains(path, o) {
		panic(fmt.Sprintf("option: %s depends on itself", o.Name))
	}
	for _, c := range o.when {
		if !c.not {
			s.refuseCycle(c.option, append(path, o))
		}
	}
}

// holds reports whether the condition holds for the present values. Whether the option
// that it names has an effect itself is for the caller.
func (c condition) holds() bool {
	if c.values == nil {
		return c.option.on() != c.not
	}
	return slices.Contains(c.values, c.option.Text()) != c.not
}
