package cli

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/mllmrec/mllmrec/internal/file/atomicfile"
	"github.com/mllmrec/mllmrec/internal/mllm"
	"github.com/mllmrec/mllmrec/internal/option"
	"github.com/mllmrec/mllmrec/internal/stage/describing"
	"github.com/mllmrec/mllmrec/internal/stage/reasoning"
	"github.com/mllmrec/mllmrec/internal/texts/backend"
	"github.com/mllmrec/mllmrec/internal/texts/prompt"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

func (a *app) promptCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "prompt",
		Short: "Show what models are asked; write out the templates to edit",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.promptShowCmd(), a.promptTemplatesCmd(), a.promptPricesCmd())
	return cmd
}

func (a *app) promptShowCmd() *cobra.Command {
	var item, user string
	cmd := &cobra.Command{
		Use:   "show WS --item X | --user U",
		Short: "Print exactly what would be sent about an item or a user",
		Long: `Show prints the messages character by character as they would be sent, with the size and
hash of the picture. No server is needed; where one answers, its model's window counts, elsewhere --window or
16384 tokens.`,
		Args: cobra.ExactArgs(1),
	}
	var w backend.Options
	var pictures describing.Pictures
	var long backend.LongHistories
	var pref reasoning.Preference
	set := option.Of(&w, &pictures, &long, &pref)
	cmd.Flags().StringVar(&item, "item", "", "id of an item: its description prompt")
	cmd.Flags().StringVar(&user, "user", "", "id of a user: the preference prompt")
	bind(cmd, set, promptHides...)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := exactlyOne(cmd, "item", "user"); err != nil {
			return err
		}
		if cmd.Flags().Changed("item") {
			set.Forbid(append(set.Names(&long, &pref), "num-ctx", "max-tokens", "base-url", "api-key-env"), "Leave it out.", "with %s", usererr.Option("item"))
		} else {
			set.Forbid(set.Names(&pictures), "Leave it out.", "with %s", usererr.Option("user"))
		}
		if err := a.check(set); err != nil {
			return err
		}
		s, err := a.open(args[0])
		if err != nil {
			return err
		}
		if cmd.Flags().Changed("item") {
			shown, err := describing.Prompt(cmd.Context(), s, describing.Options{Writer: w, Pictures: pictures}, item)
			if err != nil {
				return err
			}
			if a.json {
				return a.emit(promptJSON(shown))
			}
			return a.showPrompt(shown)
		}
		shown, err := reasoning.Prompt(cmd.Context(), s, reasoning.Options{Writer: w, Long: long, Preference: pref}, user)
		if err != nil {
			return err
		}
		return a.showHistory(shown)
	}
	return cmd
}

// promptHides are the options without a part in a prompt.
var promptHides = []string{"script", "think", "extra-body", "max-completion-tokens", "omit-sampling", "temperature", "model-seed", "attempts", "concurrency", "rpm", "tpm", "timeout", "keep-alive", "max-cost", "max-hours", "prices",
	"store", "spool", "workers", "folds", "folds-for"}

func (a *app) showHistory(p reasoning.HistoryPrompt) error {
	if a.json {
		out := promptJSON(p.Prompt)
		out["prompts"], out["window"], out["window_assumed"] = p.Steps, p.Window, p.Assumed
		return a.emit(out)
	}
	if p.Assumed {
		fmt.Fprintf(a.stderr, "no server answers to say what its model reads: a window of %d tokens is assumed; --window sets another\n", p.Window)
	}
	if p.Steps > 1 {
		fmt.Fprintf(a.stdout, "the first of %d prompts: the history does not fit the window of %d tokens and is read in parts\n", p.Steps, p.Window)
	}
	return a.showPrompt(p.Prompt)
}

func promptJSON(p prompt.Prompt) map[string]any {
	var images []map[string]any
	for _, img := range p.Images {
		images = append(images, map[string]any{"sha256": img.SHA256, "mime": img.MIME, "bytes": len(img.Data), "width": img.Width, "height": img.Height})
	}
	return map[string]any{"kind": p.Kind, "template": p.Source, "template_sha256": p.TemplateHash, "sha256": p.Hash(),
		"system": p.System, "user": p.User, "images": images, "prompts": 1}
}

func (a *app) promptTemplatesCmd() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "templates",
		Short: "Write the built-in prompt templates into a folder, to edit and give to --prompts",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := os.MkdirAll(out, 0o755); err != nil {
				return err
			}
			set := prompt.Default()
			for _, kind := range prompt.Kinds() {
				path := filepath.Join(out, string(kind)+".tmpl")
				if _, err := os.Lstat(path); err == nil {
					return usererr.New("Choose another folder.", "%s exists already", path)
				}
				err := atomicfile.Write(path, func(w io.Writer) error {
					_, err := io.WriteString(w, set.Text(kind))
					return err
				})
				if err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, path)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder to write into (required)")
	required(cmd, "out")
	return cmd
}

func (a *app) promptPricesCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "prices",
		Short: "Print the built-in price table, to edit and give to --prices",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := a.stdout.Write(mllm.DefaultPricesYAML())
			return err
		},
	}
}

// showPrompt prints the messages character by character, the pictures as size and hash.
func (a *app) showPrompt(p prompt.Prompt) error {
	var b strings.Builder
	fmt.Fprintf(&b, "prompt    %s\ntemplate  %s, sha256 %s\nsha256    %s\n", p.Kind, p.Source, p.TemplateHash, p.Hash())
	if p.System != "" {
		fmt.Fprintf(&b, "\n--- system message ---\n%s\n", p.System)
	}
	fmt.Fprintf(&b, "\n--- user message ---\n%s\n--- end ---\n", p.User)
	for _, img := range p.Images {
		size := "size unknown"
		if img.Width > 0 && img.Height > 0 {
			size = fmt.Sprintf("%d×%d pixels", img.Width, img.Height)
		}
		fmt.Fprintf(&b, "\npicture   %s, %s, %d bytes, sha256 %s\n", img.MIME, size, len(img.Data), img.SHA256)
	}
	if _, err := io.WriteString(a.stdout, b.String()); err != nil {
		return fmt.Errorf("show the prompt: %w", err)
	}
	return nil
}
