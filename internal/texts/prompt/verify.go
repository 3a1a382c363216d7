package prompt

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	syntax "text/template/parse"

	"github.com/mllmrec/mllmrec/dataset"
	"github.com/mllmrec/mllmrec/internal/texts"
	"github.com/mllmrec/mllmrec/internal/usererr"
)

// systemName is the name under which a template defines the system message.
const systemName = "system"

// variablesOf lists what a template of the kind can show.
func variablesOf(kind Kind) []string {
	switch kind {
	case Describe:
		return []string{"Domain", "Item", "Words"}
	case Preference:
		return []string{"Count", "Domain", "Items", "Total", "Words"}
	}
	return []string{"Before", "Count", "Domain", "First", "Items", "Last", "Previous", "Total", "Words"}
}

// shown lists the fenced blocks that a template of the kind must show, in the order of
// their names.
func shown(kind Kind, v variables) []block {
	switch kind {
	case Describe:
		return []block{v.Item}
	case Preference:
		return []block{v.Items}
	}
	return []block{v.Items, v.Previous}
}

// checkVariables finds unknown variables and forbidden functions, also in branches that the
// trial rendering does not take.
func checkVariables(kind Kind, body *template.Template) error {
	known := variablesOf(kind)
	for _, t := range body.Templates() {
		if t.Tree == nil || t.Tree.Root == nil {
			continue
		}
		var found error
		check := func(n syntax.Node, names []string) {
			if found != nil || len(names) == 0 {
				return
			}
			if !slices.Contains(known, names[0]) || len(names) > 1 {
				where, _ := t.Tree.ErrorContext(n)
				found = usererr.New("A template for "+string(kind)+" can show ."+strings.Join(known, ", .")+".",
					"prompt template %s: unknown variable .%s", where, strings.Join(names, "."))
			}
		}
		walk(reflect.ValueOf(t.Tree.Root), func(n syntax.Node) {
			switch n := n.(type) {
			case *syntax.FieldNode:
				check(n, n.Ident)
			case *syntax.ChainNode:
				check(n, n.Field)
			case *syntax.VariableNode:
				check(n, n.Ident[1:])
			case *syntax.IdentifierNode:
				// These functions could show a piece of the data without its fence. The output of
				// the others has the mark, which render counts.
				if found == nil && (n.Ident == "slice" || n.Ident == "index") {
					where, _ := t.Tree.ErrorContext(n)
					found = usererr.New("Show each variable unchanged.", "prompt template %s: the function %s may not be used in prompts", where, n.Ident)
				}
			}
		})
		if found != nil {
			return found
		}
	}
	return nil
}

// walk visits every node below v, through fields, slices and pointers of any type.
func walk(v reflect.Value, visit func(syntax.Node)) {
	switch v.Kind() {
	case reflect.Interface:
		walk(v.Elem(), visit)
	case reflect.Slice:
		for i := range v.Len() {
			walk(v.Index(i), visit)
		}
	case reflect.Pointer:
		n, ok := v.Interface().(syntax.Node)
		if !ok || v.IsNil() {
			return
		}
		visit(n)
		for i := range v.Elem().NumField() {
			if v.Elem().Type().Field(i).IsExported() {
				walk(v.Elem().Field(i), visit)
			}
		}
	case reflect.Struct: // such as the BranchNode inside an IfNode
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				walk(v.Field(i), visit)
			}
		}
	}
}

// render executes the template, and checks that the prompt has all data in its fences.
func (s *Set) render(kind Kind, v variables) (Prompt, error) {
	src := s.templates[kind]
	p := Prompt{Kind: kind, TemplateHash: src.hash, Source: src.name}
	var user, system bounded
	if err := src.body.Execute(&user, v); err != nil {
		return p, mistake(err, src.name)
	}
	if src.body.Lookup(systemName) != nil {
		if err := src.body.ExecuteTemplate(&system, systemName, v); err != nil {
			return p, mistake(err, src.name)
		}
	}
	p.User, p.System = strings.TrimSpace(user.String()), strings.TrimSpace(system.String())
	marks := 0
	for _, b := range shown(kind, v) {
		marks += strings.Count(b.text, v.mark)
		switch n := strings.Count(p.User, b.text); {
		case strings.Contains(p.System, v.mark):
			return p, mistake(errors.New("data is in the system message; it belongs in the user message"), src.name)
		case n == 0:
			return p, mistake(fmt.Errorf("the prompt does not show {{.%s}} as it is", b.variable), src.name)
		case n > 1:
			return p, mistake(fmt.Errorf("the prompt shows {{.%s}} more than once", b.variable), src.name)
		}
	}
	if strings.Count(p.User, v.mark) != marks {
		return p, mistake(errors.New("the prompt shows data twice, once not as it is"), src.name)
	}
	return p, nil
}

// maxPrompt bounds the output of a template, which could fill the memory with a loop.
const maxPrompt = 64 << 20

// bounded is a text builder that fails beyond maxPrompt bytes.
type bounded struct{ strings.Builder }

func (b *bounded) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxPrompt {
		return 0, fmt.Errorf("the prompt grows beyond %d bytes", maxPrompt)
	}
	return b.Builder.Write(p)
}

// try renders made-up data, to find errors in a template before a run does.
func (s *Set) try(kind Kind) error {
	item := dataset.Item{Title: "Sample", Description: "A sample."}
	history := texts.ReasonRequest{Items: []texts.HistoryItem{{Item: item}, {Item: item, ImageText: "A picture."}, {}}}
	var err error
	for _, name := range []string{"", "sample products"} {
		history.Domain = name
		var e error
		switch kind {
		case Describe:
			_, e = s.Describe(texts.DescribeRequest{Item: item, Domain: name}, Options{})
		case Preference:
			_, e = s.Preference(history, 1, Options{})
			if e == nil {
				_, e = s.Preference(history, 3, Options{})
			}
		case Continue:
			_, e = s.Continue(history, "A conclusion.", 1, 3, Options{})
		}
		if err == nil {
			err = e
		}
	}
	// What names the sample would mean nothing to the reader.
	var plain *usererr.Error
	if errors.As(err, &plain) {
		return plain
	}
	return err
}
