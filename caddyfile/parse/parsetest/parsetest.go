// Package parsetest helps the tests of modules that have a table of options.
package parsetest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

// optionLine matches a line of a syntax comment that is an option of the module's own block. A placeholder such as
// <middleware> is none.
var optionLine = regexp.MustCompile(`(?m)^\t\t([a-z0-9_]+)`)

// CheckSyntax fails unless the syntax comment above a function names exactly the options of the table. The function is in
// a file of the test's own package; it is given as `Name`, or as `Type.Name` if it is a method.
func CheckSyntax(t *testing.T, file, function string, table parse.Options) {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, declaration := range parsed.Decls {
		f, ok := declaration.(*ast.FuncDecl)
		if !ok || nameOf(f) != function {
			continue
		}
		_, syntax, found := strings.Cut(f.Doc.Text(), "Syntax:\n")
		if !found {
			t.Fatalf("%s: %s has no syntax comment", file, function)
		}
		var names []string
		for _, line := range optionLine.FindAllStringSubmatch(syntax, -1) {
			names = append(names, line[1])
		}
		slices.Sort(names)
		if want := table.Names(); !slices.Equal(names, want) {
			t.Errorf("%s: the syntax of %s names\n\t%v, and its options are\n\t%v", file, function, names, want)
		}
		return
	}
	t.Fatalf("%s has no function %s", file, function)
}

// nameOf returns the name of a function, for a method with its type.
func nameOf(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	receiver := f.Recv.List[0].Type
	if pointer, ok := receiver.(*ast.StarExpr); ok {
		receiver = pointer.X
	}
	if name, ok := receiver.(*ast.Ident); ok {
		return name.Name + "." + f.Name.Name
	}
	return f.Name.Name
}
