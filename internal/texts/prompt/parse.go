package prompt

import (
	"fmt"
	"slices"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Parse returns the default templates, with those in texts in place of the built-in ones. It
// is for templates that come from another machine; see [Load] for files.
func Parse(texts map[Kind]string) (*Set, error) {
	s := Default()
	for kind, text := range texts {
		if !slices.Contains(Kinds(), kind) {
			return nil, usererr.New(fmt.Sprintf("The kinds of prompts are %v.", Kinds()), "prompt template for %q: there is no such kind", kind)
		}
		if len(text) > maxTemplate {
			return nil, usererr.New("Shorten the template: it should be about a page.", "prompt template for %s: more than %d bytes", kind, maxTemplate)
		}
		var err error
		if s.templates[kind], err = parseTemplate(kind, string(kind)+".tmpl", text); err != nil {
			return nil, err
		}
	}
	return s, nil
}
