package cli

import (
	"fmt"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/mllmrec/mllmrec/internal/consent"
	"github.com/mllmrec/mllmrec/internal/option"
)

// authority says what a value of a flag asks for, where the flag is no option of a stage:
// those say it themselves, by their method Grants. TestEveryFlagIsClassified looks that no
// flag is forgotten.
var authority = map[string]consent.What{
	"out": consent.Write, "page": consent.Write, "plot": consent.Write, "dir": consent.Write,
	"interactions": consent.Read, "items": consent.Read, "images": consent.Read, "image-dir": consent.Read, "reviews": consent.Read, "meta": consent.Read,
	"pairs": consent.Read, "titles": consent.Read, "inter": consent.Read, "item-features": consent.Read, "user-features": consent.Read, "prompts": consent.Read,
	"plan": consent.Read, "store": consent.Database,
}

// granter is a struct of options some of which need consent.
type granter interface{ Grants() []consent.Grant }

// grantsOf lists what the values of a command's flags ask for: recorded holds what the
// workspace may remember, others the rest.
func grantsOf(flags *pflag.FlagSet) (recorded, others []consent.Grant) {
	seen := map[*option.Set]bool{}
	flags.VisitAll(func(f *pflag.Flag) {
		o, isOption := f.Value.(*optionFlag)
		what, named := authority[f.Name]
		switch {
		case isOption && !seen[o.set]:
			seen[o.set] = true
			for _, s := range o.set.Structs() {
				if g, ok := s.(granter); ok {
					recorded = append(recorded, g.Grants()...)
				}
			}
		case !isOption && named:
			for _, value := range pathsOf(f) {
				g := consent.PathGrant(what, value, f.Name)
				if what == consent.Database {
					g = consent.DatabaseGrant(value, f.Name)
				}
				others = append(others, g)
			}
		}
	})
	return recorded, others
}

// pathsOf returns the values of a flag that names files or the like.
func pathsOf(f *pflag.Flag) []string {
	if several, ok := f.Value.(*featuresFlag); ok {
		return several.paths()
	}
	if value := f.Value.String(); value != "" {
		return []string{value}
	}
	return nil
}

// gateConfig refuses what a config file of others asks for, unless the user has agreed to
// it, and remembers what the user typed: the workspace's records will name it.
func (a *app) gateConfig(cmd *cobra.Command, where string, fromData map[string]bool) error {
	recorded, others := grantsOf(cmd.Flags())
	named := func(g consent.Grant) bool {
		return slices.ContainsFunc(g.Options, func(name string) bool { return fromData[name] })
	}
	var asked, typed []consent.Grant
	for _, g := range recorded {
		if named(g) {
			asked = append(asked, g)
		} else {
			typed = append(typed, g)
		}
	}
	for _, g := range others {
		if named(g) {
			asked = append(asked, g)
		}
	}
	if folder := filepath.Dir(where); len(asked) > 0 { // which need not be the workspace
		missing, err := consent.Missing(folder, asked...)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			return consent.Refuse("config "+where, folder, missing)
		}
	}
	if args := cmd.Flags().Args(); len(typed) > 0 && len(args) > 0 {
		if err := consent.Give(args[0], typed...); err != nil && !a.quiet {
			fmt.Fprintln(a.stderr, "note: "+printable(err.Error())+"; you will be asked again")
		}
	}
	return nil
}
