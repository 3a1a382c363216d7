package model

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Kind is the type of a setting's value.
type Kind string

// The kinds of settings.
const (
	Int    Kind = "int"
	Float  Kind = "float"
	Choice Kind = "choice"
	Bool   Kind = "bool"
	List   Kind = "list" // names, separated by commas
)

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)

// IsName reports whether a text can stand in a List: small letters, digits, hyphens and
// underscores, beginning with a letter.
func IsName(text string) bool { return nameForm.MatchString(text) }

// Setting describes one setting that users may give by name.
type Setting struct {
	Name    string
	Kind    Kind
	Default string
	Doc     string   // one sentence
	Choices []string // of a Choice
	Min     float64  // smallest value of an Int or Float
	Max     float64  // largest one; 0 is no limit
}

// Values holds settings that were checked against their descriptions.
type Values struct {
	text  map[string]string
	given map[string]bool
}

// ParseSettings fills in defaults and checks given against the descriptions. owner
// names whose settings they are, for messages. A name or value that is wrong is the
// user's mistake; the message lists what would be right.
func ParseSettings(owner string, defs []Setting, given map[string]string) (Values, error) {
	v := Values{map[string]string{}, map[string]bool{}}
	for _, d := range defs {
		text, ok := given[d.Name]
		if !ok {
			text = d.Default
		}
		canonical, err := d.parse(text)
		if err != nil {
			return Values{}, usererr.New(d.Doc, "%s: setting %s=%s: %w", owner, d.Name, text, err)
		}
		v.text[d.Name], v.given[d.Name] = canonical, ok
	}
	for _, name := range sortedKeys(given) {
		if _, ok := v.text[name]; !ok {
			return Values{}, UnknownSetting(owner, name, defs)
		}
	}
	return v, nil
}

// UnknownSetting is the error for a name that is not among defs.
func UnknownSetting(owner, name string, defs []Setting) error {
	var names []string
	for _, d := range defs {
		names = append(names, d.Name)
	}
	slices.Sort(names)
	return usererr.New("", "%s has no setting %q; it has %s", owner, name, strings.Join(names, ", "))
}

func sortedKeys(m map[string]string) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// parse returns the canonical text of a value, so that 1e-3 and 0.001 compare equal.
func (d Setting) parse(text string) (string, error) {
	switch d.Kind {
	case Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return "", fmt.Errorf("not a whole number")
		}
		return strconv.Itoa(n), d.inRange(float64(n))
	case Float:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
			return "", fmt.Errorf("not a number")
		}
		return strconv.FormatFloat(f, 'g', -1, 64), d.inRange(f)
	case Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return "", fmt.Errorf("neither true nor false")
		}
		return strconv.FormatBool(b), nil
	case List:
		return parseList(text, d.Default)
	case Choice:
		if !slices.Contains(d.Choices, text) {
			return "", fmt.Errorf("not one of %s", strings.Join(d.Choices, ", "))
		}
		return text, nil
	}
	panic("model: setting " + d.Name + " is of no kind")
}

// parseList returns a list's canonical text. alone is the word that stands for a whole list and
// therefore in none.
func parseList(text, alone string) (string, error) {
	if text == alone {
		return text, nil
	}
	var names []string
	for _, name := range strings.Split(text, ",") {
		name = strings.TrimSpace(name)
		switch {
		case !IsName(name) || name == alone:
			return "", fmt.Errorf("%q is no name for the list", name)
		case slices.Contains(names, name):
			return "", fmt.Errorf("%s stands in it twice", name)
		}
		names = append(names, name)
	}
	return strings.Join(names, ","), nil
}

func (d Setting) inRange(f float64) error {
	if f < d.Min {
		return fmt.Errorf("below %g", d.Min)
	}
	if d.Max != 0 && f > d.Max {
		return fmt.Errorf("above %g", d.Max)
	}
	return nil
}

// Text returns the canonical text of a setting. It panics, like the getters below,
// where the name was not among the descriptions: a programmer's mistake.
func (v Values) Text(name string) string {
	text, ok := v.text[name]
	if !ok {
		panic("model: no setting " + name)
	}
	return text
}

// Int returns the value of an Int setting.
func (v Values) Int(name string) int {
	n, err := strconv.Atoi(v.Text(name))
	if err != nil {
		panic("model: setting " + name + " is no int")
	}
	return n
}

// Float returns the value of an Int or Float setting.
func (v Values) Float(name string) float64 {
	f, err := strconv.ParseFloat(v.Text(name), 64)
	if err != nil {
		panic("model: setting " + name + " is no number")
	}
	return f
}

// Bool returns the value of a Bool setting.
func (v Values) Bool(name string) bool { return v.Text(name) == "true" }

// Given reports whether the value was set, not defaulted.
func (v Values) Given(name string) bool { return v.given[name] }

// Map returns all values as canonical text.
func (v Values) Map() map[string]string {
	m := make(map[string]string, len(v.text))
	for k, text := range v.text {
		m[k] = text
	}
	return m
}
