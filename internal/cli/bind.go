package cli

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// groupNote is the annotation of a flag with its heading in help.
const groupNote = "mllmrec-group"

// bind fills in the defaults of the set's options and registers a flag for each but
// those excepted. What the command line or a config file gives goes through set.Set, so
// that the set knows what was given. An old name of an option is a hidden flag that sets
// the same option and says, once, what it is called now. A command registers its other
// flags first: where one of them has the old name of an option, it keeps it.
func bind(cmd *cobra.Command, set *option.Set, except ...string) {
	set.Defaults()
	flags := cmd.Flags()
	flags.SortFlags = false // help keeps the order of the struct
	var bound []*option.Option
	for _, o := range set.Options() {
		if slices.Contains(except, o.Name) {
			continue
		}
		bound = append(bound, o)
		addFlag(flags, o, &optionFlag{set: set, option: o}, o.Name, flagUsage(o))
		if o.Group != "" {
			flags.Lookup(o.Name).Annotations = map[string][]string{groupNote: {o.Group}}
		}
	}
	for _, o := range bound {
		for _, old := range o.Old {
			if flags.Lookup(old) != nil {
				continue
			}
			value := &oldFlag{optionFlag: optionFlag{set: set, option: o}, cmd: cmd, name: old}
			addFlag(flags, o, value, old, "old name of --"+o.Name)
			flags.Lookup(old).Hidden = true
		}
	}
}

func addFlag(flags *pflag.FlagSet, o *option.Option, value pflag.Value, name, usage string) {
	f := flags.VarPF(value, name, "", usage)
	if o.Kind == option.Bool {
		f.NoOptDefVal = "true" // --name alone is --name=true
	}
	if o.Kind == option.Duration && f.DefValue == "0s" {
		f.DefValue = "" // the zero value, which help does not show
	}
}

// flagUsage is the help of an option's flag; pflag adds the default.
func flagUsage(o *option.Option) string {
	usage := o.Doc
	if o.Choices != nil {
		usage += ": " + o.Allowed()
	}
	if o.List {
		usage += "; may be repeated"
	}
	if when := o.When(); when != "" {
		usage += "; only " + usererr.SpellText(when, flagName)
	}
	return usage
}

// check refuses options without effect. Those that a config file gave for many commands
// are passed over, aloud.
func (a *app) check(set *option.Set) error {
	err := set.Check()
	a.sayPassedOver(set)
	return err
}

// sayPassedOver says which values of the config file have no effect here.
func (a *app) sayPassedOver(set *option.Set) {
	if a.quiet {
		return
	}
	for _, err := range set.PassedOver() {
		fmt.Fprintln(a.stderr, "config: "+printable(usererr.Spell(err, flagName)))
	}
}

// flagName spells an option for the command line.
func flagName(option string) string { return "--" + option }

// optionFlag is the value of an option's flag.
type optionFlag struct {
	set    *option.Set
	option *option.Option
}

func (f *optionFlag) String() string {
	if f.option == nil { // pflag asks an empty value what zero looks like
		return ""
	}
	return f.option.Text()
}

func (f *optionFlag) Set(text string) error { return f.set.Set(f.option.Name, text) }

func (f *optionFlag) Type() string {
	if f.option.List {
		return "strings"
	}
	return string(f.option.Kind)
}

// oldFlag is the value of a flag that has an option's old name.
type oldFlag struct {
	optionFlag
	cmd  *cobra.Command
	name string
	said bool
}

func (f *oldFlag) Set(text string) error {
	f.say()
	return f.cmd.Flags().Set(f.option.Name, text) // so that the present flag counts as changed
}

// say tells the user the present name, the first time.
func (f *oldFlag) say() {
	if !f.said {
		f.said = true
		fmt.Fprintf(f.cmd.ErrOrStderr(), "--%s is the old name of --%s\n", f.name, f.option.Name)
	}
}

// presentFlag returns the flag that a config file's entry for flag is about: for an old
// name that of the present one, so that the command line wins under either name.
func presentFlag(flags *pflag.FlagSet, flag *pflag.Flag) *pflag.Flag {
	if old, ok := flag.Value.(*oldFlag); ok {
		old.say()
		return flags.Lookup(old.option.Name)
	}
	return flag
}

// flagError makes a wrong flag the user's mistake. An option's own message stands alone:
// it says already which flag and value are wrong.
func flagError(cmd *cobra.Command, err error) error {
	see := fmt.Sprintf("See '%s --help'.", cmd.CommandPath())
	var invalid *pflag.InvalidValueError
	for errors.As(err, &invalid) && usererr.KindOf(invalid.Unwrap()) != "" { // one more for an old name
		err = invalid.Unwrap()
	}
	if hint, mine := usererr.Hint(err); mine && hint != "" {
		return err
	}
	return usererr.Wrap(err, see)
}
