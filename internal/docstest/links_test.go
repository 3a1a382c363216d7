// Package docstest checks what the documentation says of files: that every link leads
// somewhere and every path that a page names is in the tree.
package docstest

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

const treeRoot = "../.."

// pages returns the text of every Markdown file of the tree by its path from the root,
// with fenced blocks removed.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(treeRoot, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := e.Name()
		if e.IsDir() && path != treeRoot && (name == "testdata" || name == "dist" || name == "bin" || name[0] == '.' && name != ".github" || strings.HasPrefix(name, "mllmrec-demo")) {
			return filepath.SkipDir
		}
		if e.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		data, err := os.ReadFile(path)
		found[filepath.ToSlash(path)] = withoutFences(strings.ReplaceAll(string(data), "\r\n", "\n"))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(found) < 20 {
		t.Fatalf("only %d pages found", len(found))
	}
	return found
}

func withoutFences(page string) string {
	var kept []string
	fenced := false
	for _, line := range strings.Split(page, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			fenced = !fenced
		} else if !fenced {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)
	code    = regexp.MustCompile("`([^`\n]+)`")
	inTree  = regexp.MustCompile(`^(internal|dataset|cmd|scripts|docs)/[\w./-]+$`)
)

// TestLinksLeadSomewhere follows every relative link, to its file and to its heading.
func TestLinksLeadSomewhere(t *testing.T) {
	all := pages(t)
	for path, text := range all {
		for _, match := range link.FindAllStringSubmatch(text, -1) {
			if strings.Contains(match[1], "://") || strings.HasPrefix(match[1], "mailto:") {
				continue
			}
			target, anchor, _ := strings.Cut(match[1], "#")
			file := path
			if target != "" {
				file = filepath.ToSlash(filepath.Join(filepath.Dir(path), target))
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s: link to %s: %v", path, match[1], err)
				continue
			}
			if anchor != "" && !hasHeading(all[file], anchor) {
				t.Errorf("%s: link to %s: no such heading", path, match[1])
			}
		}
	}
}

// hasHeading reports whether GitHub makes the anchor of one of the page's headings.
func hasHeading(page, anchor string) bool {
	for _, match := range heading.FindAllStringSubmatch(page, -1) {
		if anchorOf(match[1]) == anchor {
			return true
		}
	}
	return false
}

func anchorOf(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.TrimSpace(title)) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}

// TestNamedPathsExist looks for every path of the tree that a page names in code.
// Records of decisions and the changelog speak of the tree as it was.
func TestNamedPathsExist(t *testing.T) {
	for path, text := range pages(t) {
		if strings.Contains(path, "/decisions/") || strings.HasSuffix(path, "CHANGELOG.md") {
			continue
		}
		for _, match := range code.FindAllStringSubmatch(text, -1) {
			if !inTree.MatchString(match[1]) {
				continue
			}
			if _, err := os.Stat(filepath.Join(treeRoot, match[1])); err != nil {
				t.Errorf("%s names %s, which is not there", path, match[1])
			}
		}
	}
}

func TestAnchors(t *testing.T) {
	for title, want := range map[string]string{
		"The two readings of the graph":  "the-two-readings-of-the-graph",
		"GEMM beside OpenBLAS 0.3.21":    "gemm-beside-openblas-0321",
		"Throughput of `mllmrec reason`": "throughput-of-mllmrec-reason",
	} {
		if got := anchorOf(title); got != want {
			t.Errorf("anchor of %q is %q, want %q", title, got, want)
		}
	}
}
