package sticky

import (
	"go/ast"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// fieldList is where the names of the fields in the log are explained.
const fieldList = "docs/operating.md"

// TestLogFields compares the names of the fields of all lines that the project logs with those that are documented, so that the same thing
// has the same name everywhere.
func TestLogFields(t *testing.T) {
	page, err := os.ReadFile(fieldList)
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(page), "\n### The fields of the log\n")
	section, _, _ = strings.Cut(section, "\n## ")
	documented := make(map[string]bool)
	for _, row := range regexp.MustCompile("(?m)^\\| (`.+?`) \\|").FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
			documented[name[1]] = true
		}
	}
	used := loggedFields(t)
	if len(used) < 30 || len(documented) < 30 {
		t.Fatalf("only %d fields were found in the sources and %d in %s", len(used), len(documented), fieldList)
	}
	for _, name := range slices.Sorted(maps.Keys(used)) {
		if !documented[name] {
			t.Errorf("%s: the field %q of the log is not in %s", used[name], name, fieldList)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(documented)) {
		if _, is := used[name]; !is {
			t.Errorf("%s has the field %q, which no line of the log has", fieldList, name)
		}
	}
}

// A fieldFinder collects the names of fields.
type fieldFinder struct {
	t       *testing.T
	source  source
	fields  map[string]token.Position
	helpers map[types.Object]int // functions that make fields, with the number of the parameter that is the name
}

// loggedFields returns the names of all fields, each with one of its places.
func loggedFields(t *testing.T) map[string]token.Position {
	t.Helper()
	f := &fieldFinder{t: t, fields: make(map[string]token.Position), helpers: make(map[types.Object]int)}
	sources := typedSources(t)
	for range 2 { // the first time finds the helpers
		for _, s := range sources {
			f.source = s
			for _, d := range s.file.Decls {
				within, _ := d.(*ast.FuncDecl)
				ast.Inspect(d, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.CallExpr:
						f.lookAtCall(within, n)
					case *ast.CompositeLit:
						f.lookAtList(n)
					}
					return true
				})
			}
		}
	}
	return f.fields
}

func (f *fieldFinder) lookAtCall(within *ast.FuncDecl, call *ast.CallExpr) {
	called := f.called(call)
	if called == nil || called.Pkg() == nil {
		return
	}
	if i, is := f.helpers[called]; is {
		f.add(within, call.Args[i])
	}
	signature := called.Type().(*types.Signature)
	switch pkg, receiver := called.Pkg().Path(), signature.Recv(); {
	case receiver == nil && pkg == "go.uber.org/zap" && isField(signature, "zapcore.Field"):
		switch called.Name() {
		case "Skip":
		case "Error":
			f.fields["error"] = f.source.position(call)
		default:
			f.add(within, call.Args[0])
		}
	case receiver == nil && pkg == "log/slog" && isField(signature, "slog.Attr"):
		f.add(within, call.Args[0])
	case pkg == "log/slog" || strings.HasSuffix(pkg, "/internal/loglimit"):
		f.lookAtPairs(within, called, call)
	}
}

// lookAtPairs looks at the arguments of a call that are names and values in turn, or attributes.
func (f *fieldFinder) lookAtPairs(within *ast.FuncDecl, called types.Object, call *ast.CallExpr) {
	signature := called.Type().(*types.Signature)
	if !signature.Variadic() || call.Ellipsis.IsValid() {
		return
	}
	for i := signature.Params().Len() - 1; i < len(call.Args); i++ {
		if t := f.source.info.TypeOf(call.Args[i]); strings.HasSuffix(t.String(), "slog.Attr") {
			continue
		}
		f.add(within, call.Args[i])
		i++
	}
}

// lookAtList forbids lists of names and values, in which names can't be told from values.
func (f *fieldFinder) lookAtList(list *ast.CompositeLit) {
	slice, is := f.source.info.TypeOf(list).(*types.Slice)
	if !is || len(list.Elts) < 2 || !types.IsInterface(slice.Elem()) || f.constant(list.Elts[0]) == "" {
		return
	}
	if slices.ContainsFunc(f.source.file.Imports, func(i *ast.ImportSpec) bool { return i.Path.Value == `"log/slog"` }) {
		f.t.Errorf("%s: a list of names and values; use attributes of slog", f.source.position(list))
	}
}

// add notes the name of a field. If it is a parameter of the function, the callers of that have the names.
func (f *fieldFinder) add(within *ast.FuncDecl, name ast.Expr) {
	if text := f.constant(name); text != "" {
		f.fields[text] = f.source.position(name)
		return
	}
	if ident, is := name.(*ast.Ident); is && within != nil {
		i := 0
		for _, parameter := range within.Type.Params.List {
			for _, one := range parameter.Names {
				if one.Name == ident.Name {
					f.helpers[f.source.info.Defs[within.Name]] = i
					return
				}
				i++
			}
		}
	}
	f.t.Errorf("%s: the name of this field of the log can't be told", f.source.position(name))
}

func (f *fieldFinder) constant(e ast.Expr) string {
	value := f.source.info.Types[e].Value
	if value == nil || value.Kind() != constant.String {
		return ""
	}
	return constant.StringVal(value)
}

// called returns the function or method that is called, or nil if that is not known.
func (f *fieldFinder) called(call *ast.CallExpr) types.Object {
	var object types.Object
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		object = f.source.info.Uses[fun]
	case *ast.SelectorExpr:
		object = f.source.info.Uses[fun.Sel]
	}
	function, _ := object.(*types.Func)
	if function == nil {
		return nil
	}
	return function
}

// isField reports whether a function returns a field of the log.
func isField(signature *types.Signature, suffix string) bool {
	results := signature.Results()
	return results.Len() == 1 && strings.HasSuffix(types.Unalias(results.At(0).Type()).String(), suffix)
}
