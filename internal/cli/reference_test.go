package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

const treeRoot = "../.."

// TestReferenceIsCurrent fails when a command or flag changed and the pages did not.
func TestReferenceIsCurrent(t *testing.T) {
	fresh := t.TempDir()
	if err := WriteReference(fresh, ""); err != nil {
		t.Fatal(err)
	}
	want, got := pagesIn(t, fresh), pagesIn(t, filepath.Join(treeRoot, "docs", "reference", "commands"))
	if diff := cmp.Diff(got, want); diff != "" {
		t.Errorf("docs/reference/commands is out of date; run make reference (- written, + commands now):\n%s", diff)
	}
}

func pagesIn(t *testing.T, dir string) map[string]string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	pages := map[string]string{}
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		pages[filepath.Base(path)] = strings.ReplaceAll(string(data), "\r\n", "\n")
	}
	return pages
}

// TestDocsNameRealCommands reads every command line in the code blocks of the
// documentation, and fails where a command or flag does not exist.
func TestDocsNameRealCommands(t *testing.T) {
	root := commandTree()
	lines := 0
	for _, path := range documents(t) {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range commandLines(string(data)) {
			lines++
			if what := unknownWord(root, line); what != "" {
				t.Errorf("%s: there is no %s in: %s", path, what, line)
			}
		}
	}
	if lines < 50 {
		t.Errorf("only %d command lines found in the documentation", lines)
	}
}

// documents are all Markdown files but the generated ones and the records of the past.
func documents(t *testing.T) []string {
	paths := []string{filepath.Join(treeRoot, "README.md"), filepath.Join(treeRoot, "CONTRIBUTING.md"), filepath.Join(treeRoot, "SECURITY.md")}
	err := filepath.WalkDir(filepath.Join(treeRoot, "docs"), func(path string, e fs.DirEntry, err error) error {
		if e != nil && e.IsDir() && slices.Contains([]string{"commands", "decisions"}, e.Name()) {
			return filepath.SkipDir
		}
		if err == nil && filepath.Ext(path) == ".md" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// commandLines returns the calls of mllmrec in the fenced blocks of a page, with lines
// that end in a backslash joined and comments cut. Where a block marks what is typed by
// "$ ", its other lines are output.
func commandLines(page string) []string {
	var lines []string
	page = strings.ReplaceAll(strings.ReplaceAll(page, "\r\n", "\n"), "\\\n", " ")
	for i, block := range strings.Split("\n"+page, "\n```") {
		if i%2 == 0 {
			continue
		}
		prompted := strings.Contains(block, "\n$ ")
		for _, line := range strings.Split(block, "\n") {
			typed, marked := strings.CutPrefix(strings.TrimSpace(line), "$ ")
			if marked == prompted && strings.HasPrefix(typed, "mllmrec ") {
				lines = append(lines, strings.TrimSpace(comment.ReplaceAllString(typed, "")))
			}
		}
	}
	return lines
}

var comment = regexp.MustCompile(`\s+#.*$`)

var flagWord = regexp.MustCompile(`(?:^|\s)(--?[a-zA-Z][\w-]*)`)

// unknownWord names the first command or flag of the line that the tree does not have.
func unknownWord(root *cobra.Command, line string) string {
	words := strings.Fields(line)[1:]
	cmd := root
	for len(words) > 0 {
		next := subcommand(cmd, words[0])
		if next == nil {
			break
		}
		cmd, words = next, words[1:]
	}
	if cmd.HasSubCommands() && !cmd.Runnable() || cmd == root && len(words) > 0 && !strings.HasPrefix(words[0], "-") {
		return "command " + strings.Join(words, " ")
	}
	for _, match := range flagWord.FindAllStringSubmatch(strings.Join(words, " "), -1) {
		name := strings.TrimLeft(match[1], "-")
		if strings.HasPrefix(match[1], "--") {
			if cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
				return "flag --" + name + " of " + cmd.CommandPath()
			}
		} else if cmd.Flags().ShorthandLookup(name[:1]) == nil && cmd.InheritedFlags().ShorthandLookup(name[:1]) == nil {
			return "flag -" + name + " of " + cmd.CommandPath()
		}
	}
	return ""
}

func subcommand(cmd *cobra.Command, name string) *cobra.Command {
	for _, sub := range cmd.Commands() {
		if sub.Name() == name {
			return sub
		}
	}
	return nil
}

func TestUnknownWordsAreFound(t *testing.T) {
	root := commandTree()
	for line, want := range map[string]string{
		"mllmrec recommend shop.ws --user u42 -k 10 --json": "",
		"mllmrec import tables --interactions c.csv":        "",
		"mllmrec sell shop.ws":                              "command sell shop.ws",
		"mllmrec recommend shop.ws --customer 4":            "flag --customer of mllmrec recommend",
		"mllmrec recommend shop.ws -z 4":                    "flag -z of mllmrec recommend",
	} {
		if got := unknownWord(root, line); got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}
