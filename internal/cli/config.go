package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const configName = "mllmrec.yaml"

// applyConfig sets, from the config file, every flag that the command line left
// alone. The file maps a command to its flags, and "all" to flags of any command:
//
//	train: {model: mllmrec, seed: 7, set: [lr=0.0005]}
//	run:   {mllm: offline, encoder: lsa}
func (a *app) applyConfig(cmd *cobra.Command) error {
	path, err := a.findConfig(cmd)
	if err != nil || path == "" {
		return err
	}
	raw, err := plainfile.Read(path, 1<<20)
	if err != nil {
		return usererr.Wrap(fmt.Errorf("read config: %w", err), "")
	}
	var file map[string]map[string]any
	if err := yaml.Unmarshal(raw, &file); err != nil {
		return usererr.New("A config maps command names to flags, e.g. 'train: {seed: 7}'.", "config %s: %v", path, err)
	}
	if err := checkConfigCommands(cmd.Root(), file, path); err != nil {
		return err
	}
	for _, section := range []string{"all", cmd.Name()} {
		for name, value := range file[section] {
			flag := cmd.Flags().Lookup(name)
			if flag == nil {
				if section == "all" {
					continue // a flag of other commands; checkConfigCommands knows it
				}
				return usererr.New(fmt.Sprintf("See '%s --help' for its flags.", cmd.CommandPath()),
					"config %s: %s has no flag %q", path, section, name)
			}
			if err := setFromConfig(cmd.Flags(), presentFlag(cmd.Flags(), flag), value); err != nil {
				return usererr.New("", "config %s: %s.%s: %v", path, section, name, err)
			}
		}
	}
	return nil
}

// findConfig returns the file to read: --config, else one beside the workspace's
// manifest, else one in the current folder, else none.
func (a *app) findConfig(cmd *cobra.Command) (string, error) {
	if a.config != "" {
		return a.config, nil
	}
	candidates := []string{configName}
	if args := cmd.Flags().Args(); len(args) > 0 {
		candidates = slices.Insert(candidates, 0, filepath.Join(args[0], configName))
	}
	for _, c := range candidates {
		switch _, err := os.Stat(c); {
		case err == nil:
			return c, nil
		case !errors.Is(err, fs.ErrNotExist) && !strings.Contains(err.Error(), "not a directory"):
			return "", usererr.Wrap(fmt.Errorf("look for config: %w", err), "")
		}
	}
	return "", nil
}

func checkConfigCommands(root *cobra.Command, file map[string]map[string]any, path string) error {
	known := map[string]bool{"all": true}
	flags := map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		known[c.Name()] = true
		c.Flags().VisitAll(func(f *pflag.Flag) { flags[f.Name] = true })
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	for section, settings := range file {
		if !known[section] {
			return usererr.New("Sections are command names, or 'all'.", "config %s: unknown section %q", path, section)
		}
		if section == "all" {
			for name := range settings {
				if !flags[name] {
					return usererr.New("", "config %s: no command has a flag %q", path, name)
				}
			}
		}
	}
	return nil
}

// setFromConfig gives flag the value unless the command line set it. Lists append.
func setFromConfig(flags *pflag.FlagSet, flag *pflag.Flag, value any) error {
	if flag.Changed {
		return nil
	}
	values, isList := value.([]any)
	if !isList {
		values = []any{value}
	}
	for _, v := range values {
		if err := flags.Set(flag.Name, fmt.Sprint(v)); err != nil {
			return err
		}
	}
	if f, ok := flag.Value.(*optionFlag); ok {
		f.set.Configure(f.option.Name)
	}
	return nil
}
