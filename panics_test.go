package sticky

import (
	"go/ast"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// unsafe are the files that may start goroutines without package safely, and why.
var unsafe = map[string]string{
	"caddyfile/legacy/command.go":          "a command of the shell, which serves nobody and may end by its panic",
	"caddyfile/legacy/start.go":            "a command of the shell, which serves nobody and may end by its panic",
	"l4sticky/internal/simulation/main.go": "a command of the shell, which serves nobody and may end by its panic",
}

// TestEveryGoroutineIsSafe sees to it that whatever the project starts, by go or by a timer, ends by a panic alone: it
// runs in safely.Do or safely.Func. A test must make each place panic that is named by safely.Reach.
func TestEveryGoroutineIsSafe(t *testing.T) {
	unused, places := maps.Clone(unsafe), make(map[string]token.Position)
	starts := 0
	for _, s := range parsedSources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			var safe bool
			switch n := n.(type) {
			case *ast.GoStmt:
				safe = isCall(n.Call, "safely", "Do")
			case *ast.CallExpr:
				if isCall(n, "safely", "Reach") {
					place, err := strconv.Unquote(n.Args[0].(*ast.BasicLit).Value)
					if err != nil {
						t.Fatal(err)
					}
					places[place] = s.position(n)
				}
				if !callsBack(n) {
					return true
				}
				safe = isCall(n.Args[len(n.Args)-1], "safely", "Func")
			default:
				return true
			}
			starts++
			if _, allowed := unsafe[s.path]; allowed {
				delete(unused, s.path)
			} else if !safe {
				t.Errorf("%s: a panic would end the process: use safely.Do or safely.Func", s.position(n))
			}
			return true
		})
	}
	for path := range unused {
		t.Errorf("%s is listed as an exception and starts nothing", path)
	}
	if starts < 20 || len(places) < 20 {
		t.Errorf("only %d goroutines and %d places were found", starts, len(places))
	}
	tests := textOfTests(t)
	for place, position := range places {
		if !strings.Contains(tests, strconv.Quote(place)) {
			t.Errorf("%s: no test makes %q panic", position, place)
		}
	}
}

// callsBack reports whether a call hands over a function that will run in a goroutine of its own.
func callsBack(call *ast.CallExpr) bool {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || len(call.Args) == 0 {
		return false
	}
	switch from, _ := selector.X.(*ast.Ident); selector.Sel.Name {
	case "AfterFunc":
		return true
	case "Go": // of a sync.WaitGroup or the like
		return from == nil || from.Name != "relay"
	}
	return false
}

func isCall(expression ast.Expr, of, name string) bool {
	call, ok := expression.(*ast.CallExpr)
	if !ok {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != name {
		return false
	}
	from, ok := selector.X.(*ast.Ident)
	return ok && from.Name == of
}

// textOfTests returns all tests of the project.
func textOfTests(t *testing.T) string {
	t.Helper()
	var text strings.Builder
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		content, err := os.ReadFile(path)
		text.Write(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return text.String()
}
