package manual

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// shop is a small tree of commands with all that has to be escaped somewhere.
func shop() *cobra.Command {
	root := &cobra.Command{Use: "shop", Short: "Sell things"}
	root.PersistentFlags().Bool("quiet", false, "say nothing")
	sell := &cobra.Command{
		Use: "sell ITEM", Short: "Sell <one> a_b | c", Long: "First.\n.dotted 'line' –\n  laid   out\n    more\n\nLast *word*.",
		Example: "  shop sell mug\n    --price 3", Run: func(*cobra.Command, []string) {},
	}
	sell.Flags().IntP("price", "p", 7, "a|b of `coins`")
	sell.Flags().String("old", "", "gone")
	sell.Flags().MarkHidden("old") //nolint:errcheck // the flag is there
	hidden := &cobra.Command{Use: "secret", Hidden: true, Run: func(*cobra.Command, []string) {}}
	root.AddCommand(sell, hidden)
	return root
}

func codes(cmd *cobra.Command) []ExitCode {
	return []ExitCode{{0, "done"}, {9, "nine of " + cmd.Name()}}
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		data, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(data)
	}
	return files
}

func mustHold(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

func TestPages(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"shop-gone.md", "kept.md"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := WritePages(dir, shop(), codes); err != nil {
		t.Fatal(err)
	}
	files := contents(t, dir)
	if len(files) != 3 || files["kept.md"] != "old" {
		t.Fatalf("files: %v", files)
	}
	mustHold(t, files["shop.md"], `| [shop sell](shop-sell.md) | Sell &lt;one> a\_b \| c |`)
	mustHold(t, files["shop-sell.md"],
		"First.\n.dotted 'line' –\n\n```\nlaid   out\n  more\n```\n\nLast \\*word\\*.\n",
		"```\nshop sell mug\n  --price 3\n```",
		"| `-p, --price` | coins | `7` | a\\|b of coins |",
		"## Flags of all commands", "| `--quiet` | bool |  | say nothing |",
		"| 9 | nine of sell |", "Part of [shop](shop.md).")
	if strings.Contains(files["shop-sell.md"], "--old") {
		t.Error("a hidden flag is shown")
	}
}

func TestManPages(t *testing.T) {
	dir := t.TempDir()
	if err := WriteMan(dir, shop(), codes); err != nil {
		t.Fatal(err)
	}
	files := contents(t, dir)
	if len(files) != 2 {
		t.Fatalf("files: %v", files)
	}
	mustHold(t, files["shop-sell.1"],
		`shop\-sell \- Sell <one> a_b | c`, "\n\\&.dotted 'line' \\[u2013]\n", ".nf\nlaid   out\n  more\n.fi",
		`\fB\-p, \-\-price\fP \fIcoins\fP`, "a|b of coins (default 7)", ".TP\n.B 9\nnine of sell", `\fBshop\fP(1)`)
}
