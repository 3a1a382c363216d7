package pages

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

func pathEscape(id string) string { return url.PathEscape(id) }

func sortedPaths(spec *huma.OpenAPI) []string { return slices.Sorted(maps.Keys(spec.Paths)) }

func operationsOf(p *huma.PathItem) (all []*huma.Operation) {
	for _, op := range []*huma.Operation{p.Get, p.Post, p.Put, p.Delete} {
		if op != nil {
			all = append(all, op)
		}
	}
	return all
}

// bodyOf sketches the body of an operation: its fields, a line each.
func bodyOf(spec *huma.OpenAPI, op *huma.Operation) string {
	if op.RequestBody == nil || op.RequestBody.Content["application/json"] == nil {
		return ""
	}
	var b strings.Builder
	sketch(&b, spec, op.RequestBody.Content["application/json"].Schema, "", 0)
	return strings.TrimSpace(b.String())
}

func sketch(b *strings.Builder, spec *huma.OpenAPI, s *huma.Schema, indent string, depth int) {
	if s.Ref != "" {
		s = spec.Components.Schemas.SchemaFromRef(s.Ref)
	}
	if s == nil || depth > 3 {
		return
	}
	if s.Type == huma.TypeArray {
		sketch(b, spec, s.Items, indent, depth)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name]
		kind, inner := p.Type, p
		if p.Ref != "" {
			inner, kind = spec.Components.Schemas.SchemaFromRef(p.Ref), "object"
		} else if p.Type == huma.TypeArray && p.Items != nil {
			if inner, kind = p.Items, "list of "+p.Items.Type; p.Items.Ref != "" {
				inner, kind = spec.Components.Schemas.SchemaFromRef(p.Items.Ref), "list of objects"
			}
		}
		must := ""
		if slices.Contains(s.Required, name) {
			must = ", required"
		}
		fmt.Fprintf(b, "%s%s (%s%s)", indent, name, kind, must)
		if p.Description != "" {
			fmt.Fprintf(b, ": %s", p.Description)
		}
		b.WriteString("\n")
		if inner != nil && len(inner.Properties) > 0 {
			sketch(b, spec, inner, indent+"    ", depth+1)
		}
	}
}
