package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/tools/go/packages"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) < 3 {
		log.Fatal("usage: crosscheck system/machine,... package ...")
	}
	failed := false
	for platform := range strings.SplitSeq(os.Args[1], ",") {
		problems, err := check(platform, os.Args[2:]...)
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
func check(platform string, patterns ...string) (problems []string, err error) {
	system, machine, ok := strings.Cut(platform, "/")
	if !ok {
		return nil, fmt.Errorf("'%s' must be a system and a machine, such as linux/arm64", platform)
	}
	root, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	config := &packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedCompiledGoFiles | packages.NeedImports |
			packages.NeedDeps | packages.NeedTypes | packages.NeedTypesSizes | packages.NeedSyntax,
		Env:       append(os.Environ(), "GOOS="+system, "GOARCH="+machine, "CGO_ENABLED=0", "GOFLAGS="),
		Tests:     true,
		ParseFile: declarations(root + string(filepath.Separator)),
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

// declarations parses a file, and leaves out what the functions do of one that is not below the root.
func declarations(root string) func(*token.FileSet, string, []byte) (*ast.File, error) {
	return func(fset *token.FileSet, name string, source []byte) (*ast.File, error) {
		if strings.HasPrefix(name, root) {
			return parser.ParseFile(fset, name, source, parser.AllErrors|parser.SkipObjectResolution)
		}
		file, err := parser.ParseFile(fset, name, source, parser.SkipObjectResolution)
		if file != nil {
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					f.Body = nil
				}
			}
		}
		return file, err
	}
}
