package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/mllmrec/mllmrec/internal/consent"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

const configName = "mllmrec.yaml"

// configLimit bounds a config file, in bytes.
const configLimit = 1 << 20

// configFile is a config file that was read.
type configFile struct {
	path     string
	settings map[string]map[string]any
	data     bool // it came with a workspace or a folder: what it names needs consent
}

// usersWord are flags that no file sets which came with a workspace or a folder.
var usersWord = []string{"addr", "admin-addr", "open", "tls-cert", "tls-key", "role"}

// applyConfig sets, from config files, every flag that the command line left alone. A file
// maps a command to its flags, and "all" to flags of any command:
//
//	train: {model: mllmrec, seed: 7, set: [lr=0.0005]}
//	run:   {mllm: offline, encoder: lsa}
//
// What a file that came with a workspace says of servers, keys, databases, folders and files
// is used only if the user has agreed to it.
func (a *app) applyConfig(cmd *cobra.Command) error {
	if cmd.Name() == trustName {
		return nil // it shows what configurations say, and obeys none
	}
	files, err := a.findConfigs(cmd)
	if err != nil {
		return err
	}
	fromData := map[string]bool{}
	where := ""
	for _, f := range files {
		if !a.quiet {
			fmt.Fprintln(a.stderr, "config: "+printable(f.path))
		}
		set, err := f.apply(cmd)
		if err != nil {
			return err
		}
		if f.data {
			where = f.path
			for _, name := range set {
				fromData[name] = true
			}
		}
	}
	return a.gateConfig(cmd, where, fromData)
}

// apply sets the flags that are not set yet and returns their names.
func (f *configFile) apply(cmd *cobra.Command) (set []string, err error) {
	if err := checkConfigCommands(cmd.Root(), f.settings, f.path); err != nil {
		return nil, err
	}
	for _, section := range []string{"all", cmd.Name()} {
		for name, value := range f.settings[section] {
			flag := cmd.Flags().Lookup(name)
			if flag == nil {
				if section == "all" {
					continue // a flag of other commands; checkConfigCommands knows it
				}
				return nil, usererr.New(fmt.Sprintf("See '%s --help' for its flags.", cmd.CommandPath()),
					"config %s: %s has no flag %q", f.path, section, name)
			}
			flag = presentFlag(cmd.Flags(), flag)
			if flag.Changed {
				continue
			}
			if f.data && slices.Contains(usersWord, flag.Name) {
				return nil, usererr.New("Give it on the command line, or in the file of your own configuration folder.",
					"config %s: %s.%s is for you to say, and not for a workspace or a folder: who reaches the shop depends on it", f.path, section, name)
			}
			if err := setFromConfig(cmd.Flags(), flag, value); err != nil {
				return nil, usererr.New("", "config %s: %s.%s: %v", f.path, section, name, err)
			}
			set = append(set, flag.Name)
		}
	}
	return set, nil
}

// findConfigs returns the files to read, of which the first that sets a flag wins: --config,
// else one beside the workspace's manifest, else one in the current folder; then the user's
// own.
func (a *app) findConfigs(cmd *cobra.Command) (files []*configFile, err error) {
	if a.config != "" {
		f, err := readConfig(a.config, false, plainConfig(a.config))
		if err == nil && f == nil {
			err = usererr.Wrap(fmt.Errorf("read config: %s: %w", a.config, fs.ErrNotExist), "Check the path.")
		}
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	} else {
		folders := []string{"."}
		if args := cmd.Flags().Args(); len(args) > 0 {
			folders = slices.Insert(folders, 0, args[0])
		}
		for _, dir := range folders {
			f, err := readConfig(filepath.Join(dir, configName), true, func() ([]byte, error) { return readInFolder(dir, configName) })
			if err != nil {
				return nil, err
			}
			if f != nil {
				files = append(files, f)
				break
			}
		}
	}
	own, err := ownConfig()
	if err == nil && own != nil {
		files = append(files, own)
	}
	return files, err
}

// ownConfig reads the config file in the user's own configuration folder; nil where there is
// none.
func ownConfig() (*configFile, error) {
	dir, err := consent.Dir()
	if err != nil {
		return nil, nil //nolint:nilerr // a user without a folder of their own has no file there
	}
	path := filepath.Join(dir, configName)
	return readConfig(path, false, plainConfig(path))
}

// readConfig reads a config file; nil where there is none. data says that it may be
// somebody else's.
func readConfig(path string, data bool, read func() ([]byte, error)) (*configFile, error) {
	raw, err := read()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("read config: %w", err), "")
	}
	f := &configFile{path: path, data: data}
	if err := yaml.Unmarshal(raw, &f.settings); err != nil {
		return nil, usererr.New("A config maps command names to flags, e.g. 'train: {seed: 7}'.", "config %s: %v", path, err)
	}
	return f, nil
}

// plainConfig reads a file of the user's own.
func plainConfig(path string) func() ([]byte, error) {
	return func() ([]byte, error) { return plainfile.Read(path, configLimit) }
}

// readInFolder reads a small file of a folder that may be somebody else's.
func readInFolder(dir, name string) ([]byte, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	return plainfile.ReadIn(root, name, configLimit)
}

func checkConfigCommands(root *cobra.Command, file map[string]map[string]any, path string) error {
	known := map[string]bool{"all": true}
	flags := map[string]bool{}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		if c.Name() == trustName {
			return
		}
		known[c.Name()] = true
		c.Flags().VisitAll(func(f *pflag.Flag) { flags[f.Name] = true })
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	for section, settings := range file {
		if _, ok := settings["config"]; ok {
			return usererr.New("Leave it out.", "config %s: %s.config: a config file names no other", path, section)
		}
		if section == trustName {
			return usererr.New("Leave it out.", "config %s: %s: a config file agrees to nothing", path, section)
		}
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

// setFromConfig gives flag the value. Lists append.
func setFromConfig(flags *pflag.FlagSet, flag *pflag.Flag, value any) error {
	values, isList := value.([]any)
	if !isList {
		values = []any{value}
	}
	for _, v := range values {
		secret.Learn(fmt.Sprint(v))
		if err := flags.Set(flag.Name, fmt.Sprint(v)); err != nil {
			return err
		}
	}
	if f, ok := flag.Value.(*optionFlag); ok {
		f.set.Configure(f.option.Name)
	}
	return nil
}
