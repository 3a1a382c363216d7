package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/mllmrec/mllmrec/internal/consent"
	"github.com/mllmrec/mllmrec/internal/secret"
	"github.com/mllmrec/mllmrec/internal/stage"
	"github.com/mllmrec/mllmrec/internal/stage/batching"
	"github.com/mllmrec/mllmrec/internal/stage/describing"
	"github.com/mllmrec/mllmrec/internal/stage/encoding"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

const trustName = "trust"

func (a *app) trustCmd() *cobra.Command {
	var yes, revoke bool
	cmd := &cobra.Command{
		Use:   trustName + " WS",
		Short: "Show the servers, keys, folders and files that a workspace names, and agree to them",
		Long: `A workspace, and the mllmrec.yaml in it or in the current folder, may come from somebody
else. What they name is not used before you have agreed to it: servers and the environment
variables whose values go there as keys, databases, folders and files that are read or
written. Trust lists all of it and asks. What you agree to is remembered in your own
configuration folder, by its hash: a workspace that names something else asks anew.

What you give on the command line, by --config, or in the mllmrec.yaml of your own
configuration folder needs no consent.`,
		Example: `  mllmrec trust shop.ws
  mllmrec trust shop.ws --yes        # in a script, after you have looked
  mllmrec trust shop.ws --revoke`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if yes && revoke {
				return usererr.New("Give one of them.", "--yes and --revoke contradict each other")
			}
			named, err := a.named(args[0])
			if err != nil {
				return err
			}
			if revoke {
				return a.revoke(args[0], named)
			}
			return a.agree(args[0], named, yes)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "agree to all of it without being asked")
	cmd.Flags().BoolVar(&revoke, "revoke", false, "take back what was agreed to")
	return cmd
}

// namedGrant is a grant with the place that names it.
type namedGrant struct {
	consent.Grant `json:"-"`
	What          consent.What `json:"what"`
	Shown         string       `json:"value"` // without passwords
	Where         string       `json:"where"`
	Agreed        bool         `json:"agreed"`
}

// named lists what a folder's config and a workspace's records ask for.
func (a *app) named(dir string) (all []namedGrant, err error) {
	add := func(where string, grants []consent.Grant) {
		for _, g := range grants {
			if !slices.ContainsFunc(all, func(n namedGrant) bool { return n.What == g.What && n.Value == g.Value }) {
				all = append(all, namedGrant{Grant: g, What: g.What, Shown: g.Shown(), Where: where})
			}
		}
	}
	path := filepath.Join(dir, configName)
	inConfig, err := configGrants(dir)
	if err != nil {
		return nil, err
	}
	add(path, inConfig)
	if _, err := os.Lstat(filepath.Join(dir, workspace.ManifestFile)); err == nil {
		s, err := a.open(dir)
		if err != nil {
			return nil, err
		}
		if err := recordGrants(s, add); err != nil {
			return nil, err
		}
	} else if inConfig == nil {
		return nil, usererr.Of(usererr.KindUnknown, "Give the folder of a workspace, or one with a "+configName+".", "%s holds no workspace and no %s", dir, configName)
	}
	for i := range all {
		missing, err := consent.Missing(dir, all[i].Grant)
		if err != nil {
			return nil, err
		}
		all[i].Agreed = len(missing) == 0
	}
	return all, nil
}

// configGrants lists what the config file in a folder asks for in any command, together
// with what the user's own says there; nil where there is none.
func configGrants(dir string) (all []consent.Grant, err error) {
	f, err := readConfig(filepath.Join(dir, configName), true, func() ([]byte, error) { return readInFolder(dir, configName) })
	if err != nil || f == nil {
		return nil, err
	}
	own, err := ownConfig()
	if err != nil {
		return nil, err
	}
	all = []consent.Grant{}
	fresh := (&app{stdout: io.Discard, stderr: io.Discard}).root()
	fresh.SetErr(io.Discard)
	for _, cmd := range withSubcommands(fresh) {
		cmd.InheritedFlags() // joins the global flags to the command's, as parsing does
		set, err := f.apply(cmd)
		if err != nil {
			return nil, err
		}
		if own != nil {
			if _, err := own.apply(cmd); err != nil {
				return nil, err
			}
		}
		recorded, others := grantsOf(cmd.Flags())
		for _, g := range append(recorded, others...) {
			if slices.ContainsFunc(g.Options, func(name string) bool { return slices.Contains(set, name) }) {
				all = append(all, g)
			}
		}
	}
	return all, nil
}

// recordGrants lists what the records of a workspace ask for.
func recordGrants(s *stage.Session, add func(where string, grants []consent.Grant)) error {
	if dir := s.WS.Manifest().Pictures; dir != "" {
		add(s.WS.Path(workspace.ManifestFile), []consent.Grant{consent.PathGrant(consent.Read, dir)})
	}
	for _, address := range s.WS.Addresses(workspace.KindItemTexts) {
		made, _ := s.WS.Artefact(address)
		opt, err := describing.Recorded(made)
		if err != nil {
			return err
		}
		add(address, append(opt.Writer.Grants(), opt.Pictures.Grants()...))
	}
	for _, address := range s.WS.Addresses(workspace.KindUserTexts) {
		made, _ := s.WS.Artefact(address)
		opt, err := reasoning.Recorded(made)
		if err != nil {
			return err
		}
		add(address, opt.Writer.Grants())
	}
	for _, address := range s.WS.Addresses(workspace.KindUserVectors) {
		if made, _ := s.WS.Artefact(address); made.Files[workspace.EncoderFile].Path == "" {
			continue // imported
		}
		info, err := encoding.Recorded(s.WS, address)
		if err != nil {
			return err
		}
		add(address+"/"+workspace.EncoderFile, info.Options.Grants())
	}
	return batching.Grants(s.WS, add)
}

func (a *app) agree(dir string, named []namedGrant, yes bool) error {
	var open []consent.Grant
	for _, n := range named {
		if !n.Agreed {
			open = append(open, n.Grant)
		}
	}
	if !a.json {
		a.printNamed(dir, named)
	}
	if len(open) > 0 && !yes {
		if !term.IsTerminal(int(os.Stdin.Fd())) || a.json {
			if a.json {
				if err := a.emitNamed(dir, named); err != nil {
					return err
				}
			}
			return usererr.Of(usererr.KindUntrusted, "Look at the list, then give --yes.", "%s names %d things that you have not agreed to: %s", dir, len(open), joinGrants(open))
		}
		fmt.Fprintf(a.stderr, "Agree to the %d that are new? [y/N] ", len(open))
		answer, _ := bufio.NewReader(os.Stdin).ReadString('\n') //nolint:errcheck // no answer is no
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
			return usererr.Of(usererr.KindUntrusted, "Nothing was agreed to.", "you did not agree")
		}
	}
	if err := consent.Give(dir, open...); err != nil {
		return err
	}
	for i := range named {
		named[i].Agreed = true
	}
	if a.json {
		return a.emitNamed(dir, named)
	}
	fmt.Fprintf(a.stdout, "agreed: %d, of these new: %d\n", len(named), len(open))
	return nil
}

func (a *app) emitNamed(dir string, named []namedGrant) error {
	if named == nil {
		named = []namedGrant{} // [], not null
	}
	return a.emit(map[string]any{"workspace": dir, "named": named})
}

func (a *app) revoke(dir string, named []namedGrant) error {
	var grants []consent.Grant
	for _, n := range named {
		grants = append(grants, n.Grant)
	}
	taken, err := consent.Revoke(dir, grants...)
	if err != nil {
		return err
	}
	if a.json {
		return a.emit(map[string]any{"revoked": taken})
	}
	fmt.Fprintf(a.stdout, "taken back: %d\n", taken)
	return nil
}

func (a *app) printNamed(dir string, named []namedGrant) {
	if len(named) == 0 {
		fmt.Fprintf(a.stdout, "%s names no server, key, database, folder or file\n", dir)
		return
	}
	var rows [][]string
	for _, n := range named {
		agreed := "new"
		if n.Agreed {
			agreed = "agreed"
		}
		rows = append(rows, []string{agreed, string(n.What), printable(n.Shown), printable(secret.Line(n.Where))})
	}
	table(a.stdout, []string{"", "what", "value", "named in"}, rows)
}

func joinGrants(grants []consent.Grant) string {
	var all []string
	for _, g := range grants {
		all = append(all, g.String())
	}
	return strings.Join(all, "; ")
}
