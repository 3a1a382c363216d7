package prompt

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"unicode/utf8"

	"github.com/mllmrec/mllmrec/internal/file/plainfile"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// formatVersion must change whenever the same template and data would give another prompt,
// because the fence, its guard, the cleaning or the lines of items change.
const formatVersion = 1

// maxTemplate bounds a template file, in bytes. A prompt is about a page.
const maxTemplate = 64 << 10

//go:embed templates/*.tmpl
var builtin embed.FS

// Set holds one template of each [Kind].
//
// A template is a Go text/template. Its text is the user message; a template that it defines
// under the name "system" is the system message. The user message must show {{.Item}}
// (describe), {{.Items}} (preference, continue) and {{.Previous}} (continue), each exactly
// once and unchanged. A template may show {{.Domain}}, {{.Words}}, {{.Count}} and
// {{.Total}}; in continue also {{.Before}}, {{.First}} and {{.Last}}.
type Set struct {
	templates map[Kind]*source
}

// source is one template.
type source struct {
	name string // of the file, or "built-in"
	text string
	body *template.Template
	hash string
}

// Default returns the templates that come with the program.
func Default() *Set {
	s := &Set{templates: map[Kind]*source{}}
	for _, kind := range Kinds() {
		data, err := builtin.ReadFile("templates/" + string(kind) + ".tmpl")
		if err == nil {
			s.templates[kind], err = parseTemplate(kind, "built-in", string(data))
		}
		if err != nil {
			panic(err) // compiled in, and tested
		}
	}
	return s
}

// Load returns the default templates, with those at path in place of the built-in ones. path
// is a folder with files named describe.tmpl, preference.tmpl or continue.tmpl, or one such
// file; an empty path means the defaults. An error in a template is an error of the user
// that names file and line.
func Load(path string) (*Set, error) {
	if path == "" {
		return Default(), nil
	}
	const hint = "Give a file named describe.tmpl, preference.tmpl or continue.tmpl, or a folder with such files."
	info, err := os.Stat(path)
	if err != nil {
		return nil, usererr.Wrap(fmt.Errorf("prompt templates: %w", err), hint)
	}
	files := []string{path}
	if info.IsDir() {
		if files, err = templatesIn(path); err != nil {
			return nil, usererr.Wrap(err, hint)
		}
	}
	s := Default()
	for _, file := range files {
		kind := Kind(strings.TrimSuffix(filepath.Base(file), ".tmpl"))
		if filepath.Ext(file) != ".tmpl" || !slices.Contains(Kinds(), kind) {
			return nil, usererr.New(hint, "prompt template %s: its name does not say what it is for", file)
		}
		text, err := readTemplate(file)
		if err != nil {
			return nil, err
		}
		if s.templates[kind], err = parseTemplate(kind, file, text); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func templatesIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("prompt templates: %w", err)
	}
	var files []string
	for _, e := range entries {
		if !e.IsDir() && filepath.Ext(e.Name()) == ".tmpl" {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("prompt templates: folder %s has no file that ends in .tmpl", dir)
	}
	return files, nil
}

func readTemplate(file string) (string, error) {
	f, err := plainfile.Open(file)
	if err != nil {
		return "", usererr.Wrap(fmt.Errorf("prompt template: %w", err), "Check the path, and that you may read the file.")
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxTemplate {
		return "", usererr.New("Give a plain text file of about a page.", "prompt template %s: not a regular file of at most %d bytes", file, maxTemplate)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTemplate+1))
	if err != nil {
		return "", fmt.Errorf("prompt template: %w", err)
	}
	if len(data) > maxTemplate || !utf8.Valid(data) {
		return "", usererr.New("Save it as UTF-8.", "prompt template %s: not a text in UTF-8", file)
	}
	return string(data), nil
}

// Hash is the SHA-256 of the format version, the kind and the template's text. Windows line
// ends are hashed as Unix ones.
func (s *Set) Hash(kind Kind) string { return s.templates[kind].hash }

// Text is the template itself.
func (s *Set) Text(kind Kind) string { return s.templates[kind].text }

func parseTemplate(kind Kind, name, text string) (*source, error) {
	text = strings.TrimPrefix(strings.ReplaceAll(text, "\r\n", "\n"), "\ufeff")
	body, err := template.New(name).Parse(text)
	if err != nil {
		return nil, mistake(err, name)
	}
	if err := checkVariables(kind, body); err != nil {
		return nil, err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "mllmrec prompt %d %s\n%s", formatVersion, kind, text))
	src := &source{name: name, text: text, body: body, hash: hex.EncodeToString(sum[:])}
	s := &Set{templates: map[Kind]*source{kind: src}}
	return src, s.try(kind)
}

// mistake makes an error of the user from an error in a template. Errors of text/template
// name file and line already.
func mistake(err error, name string) error {
	text := strings.TrimPrefix(err.Error(), "template: ")
	if !strings.Contains(text, name) {
		text = name + ": " + text
	}
	return usererr.Wrap(errors.New("prompt template "+text), "Correct the template, or leave it out to use the built-in one.")
}
