package outside

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// public are the folders whose packages are promised to others.
var public = []string{"client", ".", "dataset", "dataset/amazon", "dataset/microlens", "dataset/mmrec", "dataset/tables"}

// A type of an internal package in an exported signature or field could not be named, or
// made, from outside.
func TestNoInternalTypeInAPublicSignature(t *testing.T) {
	for _, dir := range public {
		declared := 0
		for _, file := range parseFolder(t, dir) {
			internals := map[string]bool{}
			for _, imp := range file.Imports {
				path, err := strconv.Unquote(imp.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(path, "/internal/") {
					internals[path[strings.LastIndex(path, "/")+1:]] = true
				}
			}
			for _, d := range file.Decls {
				for what, node := range promised(d) {
					declared++
					ast.Inspect(node, func(n ast.Node) bool {
						if s, ok := n.(*ast.SelectorExpr); ok {
							if id, ok := s.X.(*ast.Ident); ok && internals[id.Name] {
								t.Errorf("%s: %s mentions %s.%s, which no other module can import", dir, what, id.Name, s.Sel.Name)
							}
						}
						return true
					})
				}
			}
		}
		if declared == 0 {
			t.Errorf("%s declares nothing for others", dir)
		}
	}
}

func parseFolder(t *testing.T, dir string) []*ast.File {
	t.Helper()
	names, err := filepath.Glob(filepath.Join("..", "..", filepath.FromSlash(dir), "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: no Go files: %v", dir, err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// promised returns the parts of a declaration that others can see, by what they belong to.
func promised(d ast.Decl) map[string]ast.Node {
	parts := map[string]ast.Node{}
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv.List[0].Type)) {
			parts["func "+d.Name.Name] = d.Type
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					parts["type "+s.Name.Name] = visible(s.Type)
				}
			case *ast.ValueSpec:
				if s.Type != nil && s.Names[0].IsExported() {
					parts[s.Names[0].Name] = s.Type
				}
			}
		}
	}
	return parts
}

// visible returns a type without the fields of a struct that others cannot see.
func visible(t ast.Expr) ast.Node {
	s, ok := t.(*ast.StructType)
	if !ok {
		return t
	}
	seen := &ast.FieldList{}
	for _, f := range s.Fields.List {
		if len(f.Names) == 0 || f.Names[0].IsExported() {
			seen.List = append(seen.List, f)
		}
	}
	return seen
}

func exportedReceiver(t ast.Expr) bool {
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	id, ok := t.(*ast.Ident)
	return ok && id.IsExported()
}

// What is promised is those packages and no others.
func TestNoOtherPackageIsPublic(t *testing.T) {
	root := filepath.Join("..", "..")
	found := map[string]bool{}
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := e.Name()
		hidden := path != root && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_"))
		if e.IsDir() && (hidden || name == "internal" || name == "testdata") {
			return filepath.SkipDir
		}
		if e.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly)
		if err != nil {
			return err
		}
		if f.Name.Name != "main" {
			dir, err := filepath.Rel(root, filepath.Dir(path))
			if err != nil {
				return err
			}
			found[filepath.ToSlash(dir)] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range public {
		if !found[dir] {
			t.Errorf("%s is gone", dir)
		}
		delete(found, dir)
	}
	for dir := range found {
		t.Errorf("%s is public: move it below internal, or list it here, since it is then promised", dir)
	}
}
