package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/live"
	"github.com/mllmrec/mllmrec/internal/live/feedback"
	"github.com/mllmrec/mllmrec/internal/live/open"
	"github.com/mllmrec/mllmrec/internal/usererr"
	"github.com/mllmrec/mllmrec/internal/workspace"
)

func (a *app) feedbackCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "feedback",
		Short: "Feedback of a served shop, out and in",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.feedbackExportCmd(), a.feedbackImportCmd())
	return cmd
}

const storeOfShop = "postgres:// address of the live state, if it is not the workspace's own"

func (a *app) feedbackExportCmd() *cobra.Command {
	var out, store string
	var after int64
	cmd := &cobra.Command{
		Use:   "export WS --out FILE",
		Short: "Write the feedback that came in as JSON lines",
		Long: `Export writes one JSON object an event: user, item, type, and what else the client said, with
the number of the event and when it was received. Events are in the order of their numbers,
so --after with the last number of one export goes on where it ended. The shop may be
served meanwhile.`,
		Example: `  mllmrec feedback export shop.ws --out feedback.jsonl
  mllmrec feedback export shop.ws --out more.jsonl --after 1200`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if after < 0 {
				return usererr.New("", "%s must not be negative", usererr.Option("after"))
			}
			ws, err := workspace.Open(args[0])
			if err != nil {
				return err
			}
			if err := haveFeedback(ws, store); err != nil {
				return err
			}
			var done feedback.Exported
			err = withLive(cmd.Context(), ws, store, func(s *live.Store) error {
				return atomicfile.WritePrivate(out, func(w io.Writer) (err error) {
					done, err = feedback.Export(cmd.Context(), s, after, w)
					return err
				})
			})
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(map[string]any{"out": out, "events": done.Events, "last": done.Last})
			}
			fmt.Fprintf(a.stdout, "%s: %d events, the last is number %d\n", out, done.Events, done.Last)
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "file to write (required)")
	cmd.Flags().StringVar(&store, "store", "", storeOfShop)
	cmd.Flags().Int64Var(&after, "after", 0, "leave out the events up to this number")
	required(cmd, "out")
	return cmd
}

// haveFeedback refuses a workspace that nothing was served from: looking makes no file.
func haveFeedback(ws *workspace.Workspace, store string) error {
	if store != "" {
		return nil
	}
	_, there, err := ws.LivePath()
	if err == nil && !there {
		err = usererr.Of(usererr.KindNotReady, "Serve the shop, or import feedback first.", "workspace %s has no feedback: nothing was served from it", ws.Dir())
	}
	return err
}

func (a *app) feedbackImportCmd() *cobra.Command {
	var store string
	cmd := &cobra.Command{
		Use:   "import WS FILE",
		Short: "Take feedback in from JSON lines",
		Long: `Import takes in what 'mllmrec feedback export' wrote, or lines of your own: user, item and type
(view, like, purchase, hide), and where known time (RFC 3339), weight, arm, request and key.
All lines are checked before one is stored. Importing a file twice is harmless: events are
told apart by their keys, and a line without a key gets one made of its text.`,
		Example: `  echo '{"user":"u1","item":"i7","type":"like","time":"2026-01-31T12:00:00Z"}' > more.jsonl
  mllmrec feedback import shop.ws more.jsonl`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ws, err := workspace.Open(args[0])
			if err != nil {
				return err
			}
			f, err := plainfile.Open(args[1])
			if err != nil {
				return usererr.Wrap(err, "Name a regular file: it is read twice.")
			}
			defer f.Close()
			var done feedback.Imported
			err = withLive(cmd.Context(), ws, store, func(s *live.Store) (err error) {
				done, err = feedback.Import(cmd.Context(), s, args[1], f)
				return err
			})
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(done)
			}
			fmt.Fprintf(a.stdout, "%d events stored, %d were there already\n", done.Stored, done.Known)
			return nil
		},
	}
	cmd.Flags().StringVar(&store, "store", "", storeOfShop)
	return cmd
}

// withLive calls f with the live state of a workspace's shop, and closes it.
func withLive(ctx context.Context, ws *workspace.Workspace, store string, f func(*live.Store) error) error {
	s, err := open.Store(ctx, ws, store)
	if err != nil {
		return err
	}
	return errors.Join(f(s), s.Close())
}
