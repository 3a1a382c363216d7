package prompt

import (
	"fmt"
	"slices"

	"github.com/mllmrec/mllmrec/internal/usererr"
)

// Parse returns the default templates with those replaced that texts has: for templates
// that come from another machine, not from a file.
func Parse(texts map[Kind]string) (*Set, error) {
	s := Default()
	for kind, text := range texts {
		if !slices.Contains(Kinds(), kind) {
			return nil, usererr.New(fmt.Sprintf("valid are %v", Kinds()), "prompt template for %q: there is no such kind", kind)
		}
		if len(text) > maxTemplate {
			return nil, usererr.New("a template is a page or so", "prompt template for %s: more than %d bytes", kind, maxTemplate)
		}
		var err error
		if s.templates[kind], err = parseTemplate(kind, string(kind)+".tmpl", text); err != nil {
			return nil, err
		}
	}
	return s, nil
}
