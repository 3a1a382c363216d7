package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) keyCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "API keys of a served shop",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.keyAddCmd(), a.keyListCmd(), a.keyRevokeCmd())
	return cmd
}

// keyStore adds the flag that every command of keys has.
func keyStore(cmd *cobra.Command, store *string) {
	cmd.Flags().StringVar(store, "store", "", storeOfShop)
}

func (a *app) keyAddCmd() *cobra.Command {
	var name, store string
	var roles []string
	cmd := &cobra.Command{
		Use:   "add WS --name NAME --role ROLE,...",
		Short: "Make a key; it is shown once",
		Long: `Add makes an API key and prints it. What is stored is a hash, so it cannot be shown again. A server
that runs takes it at once.

Roles: read asks for lists, items and preferences; feedback posts what users did and edits
their preferences; admin does everything, changes the catalogue and reads metrics.`,
		Example: `  mllmrec key add shop.ws --name app --role read,feedback
  mllmrec key add shop.ws --name operations --role admin --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onLive(cmd, args[0], store, func(s *live.Store) error {
				var wanted []live.Role
				for _, r := range roles {
					wanted = append(wanted, live.Role(strings.TrimSpace(r)))
				}
				text, key, err := s.NewKey(cmd.Context(), name, wanted)
				if err != nil {
					return err
				}
				if a.json {
					enc := json.NewEncoder(a.bare)
					enc.SetIndent("", "  ")
					return enc.Encode(map[string]any{"key": text, "id": key.ID, "name": key.Name, "roles": key.Roles})
				}
				_, err = fmt.Fprintf(a.bare, "%s\nkeep it: it is not shown again; its id is %s\n", text, key.ID)
				return err
			})
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "who has the key, for people to read (required)")
	cmd.Flags().StringSliceVar(&roles, "role", nil, "what it is for: read, feedback, admin, or several (required)")
	keyStore(cmd, &store)
	required(cmd, "name", "role")
	return cmd
}

func (a *app) keyListCmd() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:   "list WS",
		Short: "List the keys, revoked ones too",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onLive(cmd, args[0], store, func(s *live.Store) error {
				keys, err := s.Keys(cmd.Context())
				if err != nil {
					return err
				}
				if a.json {
					var out []map[string]any
					for _, k := range keys {
						one := map[string]any{"id": k.ID, "name": k.Name, "roles": k.Roles, "created": k.Created}
						if !k.Used.IsZero() {
							one["used"] = k.Used
						}
						if !k.Revoked.IsZero() {
							one["revoked"] = k.Revoked
						}
						out = append(out, one)
					}
					return a.emit(map[string]any{"keys": out})
				}
				var rows [][]string
				for _, k := range keys {
					var roles []string
					for _, r := range k.Roles {
						roles = append(roles, string(r))
					}
					rows = append(rows, []string{k.ID, k.Name, strings.Join(roles, ","), day(k.Created), day(k.Used), day(k.Revoked)})
				}
				table(a.stdout, []string{"id", "name", "roles", "created", "last used", "revoked"}, rows)
				return nil
			})
		},
	}
	keyStore(cmd, &store)
	return cmd
}

func day(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("2006-01-02 15:04")
}

func (a *app) keyRevokeCmd() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:     "revoke WS ID",
		Short:   "End a key for good",
		Long:    `Revoke ends a key. A server that runs refuses it at once.`,
		Example: `  mllmrec key revoke shop.ws 3f9c21aa04be`,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.onLive(cmd, args[0], store, func(s *live.Store) error {
				k, err := s.RevokeKey(cmd.Context(), args[1])
				if err != nil {
					return err
				}
				if a.json {
					return a.emit(map[string]any{"id": k.ID, "revoked": k.Revoked})
				}
				fmt.Fprintf(a.stdout, "key %s (%s) is revoked\n", k.ID, k.Name)
				return nil
			})
		},
	}
	keyStore(cmd, &store)
	return cmd
}

// onLive does something with the live state of a workspace.
func (a *app) onLive(cmd *cobra.Command, dir, store string, do func(*live.Store) error) error {
	a.dir = dir
	ws, err := workspace.Open(dir)
	if err != nil {
		return err
	}
	return withLive(cmd.Context(), ws, store, do)
}
