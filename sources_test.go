package sticky

import (
	"encoding/json"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A source is a file of the project that is not a test's.
type source struct {
	path string // relative to the root of the checkout
	file *ast.File
	info *types.Info // nil for a file that this system's build leaves out
	set  *token.FileSet
}

func (s source) position(n ast.Node) token.Position { return s.set.Position(n.Pos()) }

// parsedSources returns all files, for whichever system they are, without their types. Tests of balancers are no
// part of what is shipped, nor is what builds it.
func parsedSources(t *testing.T) (sources []source) {
	t.Helper()
	set := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (path == "integration" || path == "build" || path != "." && strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		sources = append(sources, source{path: filepath.ToSlash(path), file: file, set: set})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(sources) < 50 {
		t.Fatalf("only %d files were found", len(sources))
	}
	return sources
}

// typedSources returns the files that this system's build takes, with their types.
func typedSources(t *testing.T) (sources []source) {
	t.Helper()
	type listed struct {
		ImportPath, Export, Dir string
		GoFiles                 []string
	}
	command := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles", "./...")
	command.Stderr = os.Stderr
	output, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := make(map[string]string)
	var ours []listed
	for decoder := json.NewDecoder(strings.NewReader(string(output))); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if path := strings.TrimPrefix(p.ImportPath, module); path != p.ImportPath && !strings.HasPrefix(path, "/integration") && path != "/build" {
			ours = append(ours, p)
		}
	}
	root, err := filepath.Abs(".")
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	known := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, p := range ours {
		info := &types.Info{Uses: make(map[*ast.Ident]types.Object), Defs: make(map[*ast.Ident]types.Object), Types: make(map[ast.Expr]types.TypeAndValue)}
		var files []*ast.File
		for _, name := range p.GoFiles {
			full := filepath.Join(p.Dir, name)
			file, err := parser.ParseFile(set, full, nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			path, err := filepath.Rel(root, full)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, file)
			sources = append(sources, source{path: filepath.ToSlash(path), file: file, info: info, set: set})
		}
		checker := types.Config{Importer: known}
		if _, err := checker.Check(p.ImportPath, set, files, info); err != nil {
			t.Fatal(err)
		}
	}
	if len(sources) < 50 {
		t.Fatalf("only %d files were found", len(sources))
	}
	return sources
}
