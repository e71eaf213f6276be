package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"

	"golang.org/x/tools/go/packages"
)

func main() {
	log.SetFlags(0)
	debug.SetGCPercent(400) // nearly all that is allocated is needed until the end
	if len(os.Args) < 3 {
		log.Fatal("usage: crosscheck system/machine,... package ...")
	}
	failed, known := false, newFiles()
	for platform := range strings.SplitSeq(os.Args[1], ",") {
		problems, err := check(known, platform, os.Args[2:]...)
		if err != nil {
			log.Fatal(err)
		}
		for _, p := range problems {
			failed = true
			log.Printf("%s: %s", platform, p)
		}
	}
	if failed {
		os.Exit(1)
	}
}

// check returns what is wrong with the packages on a platform.
func check(known *files, platform string, patterns ...string) (problems []string, err error) {
	system, machine, ok := strings.Cut(platform, "/")
	if !ok {
		return nil, fmt.Errorf("'%s' must be a system and a machine, such as linux/arm64", platform)
	}
	config := &packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
			packages.NeedDeps | packages.NeedTypes | packages.NeedTypesSizes | packages.NeedSyntax,
		Env:       append(os.Environ(), "GOOS="+system, "GOARCH="+machine, "CGO_ENABLED=0", "GOFLAGS="),
		Tests:     true,
		Fset:      known.set,
		ParseFile: known.parse,
	}
	found, err := packages.Load(config, patterns...)
	if err != nil {
		return nil, fmt.Errorf("loading the packages for %s: %w", platform, err)
	}
	for _, p := range found {
		if strings.HasSuffix(p.ID, ".test") {
			continue // the program that runs the tests, which is no source of ours
		}
		for _, e := range p.Errors {
			problems = append(problems, e.Error())
		}
	}
	return problems, nil
}

// files are what was parsed for one platform and is the same on all others.
type files struct {
	set  *token.FileSet
	root string

	mu     sync.Mutex
	parsed map[string]func() (*ast.File, error)
}

func newFiles() *files {
	root, err := os.Getwd()
	if err != nil {
		log.Fatal(err)
	}
	return &files{set: token.NewFileSet(), root: root + string(filepath.Separator), parsed: make(map[string]func() (*ast.File, error))}
}

// parse parses a file, once.
func (f *files) parse(_ *token.FileSet, name string, source []byte) (*ast.File, error) {
	f.mu.Lock()
	parsed := f.parsed[name]
	if parsed == nil {
		parsed = sync.OnceValues(func() (*ast.File, error) { return f.declarations(name, source) })
		f.parsed[name] = parsed
	}
	f.mu.Unlock()
	return parsed()
}

// declarations parses a file, and leaves out what the functions do of one that is not below the root.
func (f *files) declarations(name string, source []byte) (*ast.File, error) {
	if strings.HasPrefix(name, f.root) {
		return parser.ParseFile(f.set, name, source, parser.AllErrors|parser.SkipObjectResolution)
	}
	file, err := parser.ParseFile(f.set, name, source, parser.SkipObjectResolution)
	if file != nil {
		for _, d := range file.Decls {
			if function, ok := d.(*ast.FuncDecl); ok {
				function.Body = nil
			}
		}
	}
	return file, err
}
