package usererr

import (
	"regexp"
	"slices"
)

// Option is the name of an option in an error's message.
type Option string

// String returns the name as a message has it before Spell: option "dim".
func (o Option) String() string { return `option "` + string(o) + `"` }

// mention finds what Option.String writes.
var mention = regexp.MustCompile(`option "([a-z0-9]+(?:-[a-z0-9]+)*)"`)

// Spell returns err's message in which every option that the errors of its tree carry is
// written as spell has it. Other text stays as it is, even where it looks like an
// option: it may be what the user typed.
func Spell(err error, spell func(name string) string) string {
	if err == nil {
		return ""
	}
	known := optionsOf(err)
	return mention.ReplaceAllStringFunc(err.Error(), func(text string) string {
		name := mention.FindStringSubmatch(text)[1]
		if !slices.Contains(known, Option(name)) {
			return text
		}
		return spell(name)
	})
}

// SpellText does the same for every option that text names by Option.String. It is for
// text that only the program writes, such as hints: Sprintf("Give %s.", Option("dim")).
func SpellText(text string, spell func(name string) string) string {
	return mention.ReplaceAllStringFunc(text, func(text string) string {
		return spell(mention.FindStringSubmatch(text)[1])
	})
}

// SpellHint returns what Hint returns, with the options spelled.
func SpellHint(err error, spell func(name string) string) (string, bool) {
	hint, ok := Hint(err)
	return SpellText(hint, spell), ok
}

// optionsOf returns the options that the errors in err's tree carry.
func optionsOf(err error) []Option {
	var all []Option
	walk(err, func(e *Error) bool {
		all = append(all, e.Options...)
		return true
	})
	return all
}

// optionsAmong returns the options among a message's arguments, and those of errors
// among them, which the format may have turned into mere text.
func optionsAmong(args []any) []Option {
	var all []Option
	for _, arg := range args {
		switch arg := arg.(type) {
		case Option:
			all = append(all, arg)
		case error:
			all = append(all, optionsOf(arg)...)
		}
	}
	return all
}
