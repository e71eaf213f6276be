package embedded

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"

	"github.com/dop251/goja"
	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
	"github.com/dop251/goja/parser"
	"github.com/evanw/esbuild/pkg/api"
)

// sources remembers the files that a script consists of as they were read last: a script that is started
// anew is the same, whatever has become of its files. It is shared by the engines of a script.
type sources struct {
	mu    sync.Mutex
	files map[string]*source
}

// source is a file, compiled if it is JavaScript.
type source struct {
	text      []byte
	program   *goja.Program
	lastMatch bool // it asks RegExp for the last match
}

func newSources() *sources { return &sources{files: make(map[string]*source)} }

// get returns a file, read anew if fresh is true or it was never read.
func (s *sources) get(path string, fresh bool, compiled bool) (*source, error) {
	s.mu.Lock()
	known := s.files[path]
	s.mu.Unlock()
	if known != nil && !fresh {
		return known, nil
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if known != nil && bytes.Equal(known.text, text) {
		return known, nil
	}
	read := &source{text: text}
	if compiled {
		if read.program, err = compile(path, string(text)); err != nil {
			return nil, err
		}
		read.lastMatch = lastMatch.Match(text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = read
	return read, nil
}

const (
	wrapperHead = "(function (exports, require, module, __filename, __dirname) {"
	wrapperTail = "\n})"
)

// syntaxError is a fault of a file that keeps it from being compiled.
type syntaxError struct {
	path         string
	line, column int
	message      string
}

func (s *syntaxError) Error() string {
	return placeAt(s.path, s.line, s.column) + "SyntaxError: " + s.message
}

// placeAt names a place in a file, of which goja counts the columns with the head that compile gives it.
func placeAt(path string, line, column int) string {
	if line == 1 && column > len(wrapperHead) {
		column -= len(wrapperHead)
	}
	return fmt.Sprintf("%s:%d:%d: ", path, line, column)
}

// compile makes a program of a module's text; running it gives the function that Node would wrap it in.
//
// goja takes nearly all of ES2020. What it does not parse goes through esbuild, which writes `for await`, async
// generators, import() and ES modules in what it does, and whose errors name the place well. So do functions
// that are declared in blocks, which esbuild makes known outside of them.
func compile(path, text string) (*goja.Program, error) {
	text = strings.TrimPrefix(text, "\ufeff")
	if strings.HasPrefix(text, "#!") {
		text = "//" + text
	}
	if deeperThan(text, quotes, maxDepth) {
		return nil, &syntaxError{path, 1, 1, fmt.Sprintf("the code is nested more than %d deep", maxDepth)}
	}
	program, err := goja.Parse(path, wrapperHead+text+wrapperTail, parser.WithDisableSourceMaps)
	blockFunctions := false
	if err == nil {
		found := look(program)
		if blockFunctions = found.blockFunctions; !blockFunctions {
			compiled, err := finish(path, program, found)
			var fault *syntaxError
			if err == nil || errors.As(err, &fault) {
				return compiled, err
			}
		}
	}
	rewritten, err := rewrite(path, text, blockFunctions)
	if err != nil {
		return nil, err
	}
	noFiles := parser.WithSourceMapLoader(func(string) ([]byte, error) { return nil, os.ErrNotExist })
	if program, err = goja.Parse(path, rewritten, noFiles); err != nil {
		return nil, faultOf(path, err)
	}
	compiled, err := finish(path, program, look(program))
	if err != nil {
		return nil, faultOf(path, err)
	}
	return compiled, nil
}

// finish compiles what was parsed, with the properties in regular expressions written out.
func finish(path string, program *ast.Program, found *findings) (*goja.Program, error) {
	for _, literal := range found.regexps {
		if !strings.Contains(literal.Flags, "u") || !hasProperties(literal.Pattern) {
			continue
		}
		pattern, err := expandProperties(literal.Pattern)
		if err != nil {
			at := program.File.Position(int(literal.Idx) - program.File.Base())
			message := fmt.Sprintf("Invalid regular expression: /%s/%s: %v", literal.Pattern, literal.Flags, err)
			return nil, &syntaxError{path: path, line: at.Line, column: at.Column, message: message}
		}
		literal.Pattern = pattern
	}
	return goja.CompileAST(program, false)
}

// rewrite puts a module into words that goja knows, and its wrapper around it, of which the source map knows.
// Functions that are declared in blocks get other names, which keepNames makes up for.
func rewrite(path, text string, keepNames bool) (string, error) {
	result := api.Transform(text, api.TransformOptions{
		Sourcefile: path,
		Loader:     api.LoaderJS,
		Format:     api.FormatCommonJS,
		Platform:   api.PlatformNode,
		Target:     api.ES2020,
		Sourcemap:  api.SourceMapInline,
		KeepNames:  keepNames,
		Banner:     wrapperHead,
		Footer:     wrapperTail,
		Supported: map[string]bool{
			"async-generator": false,
			"for-await":       false,
			"dynamic-import":  false,
		},
	})
	if len(result.Errors) == 0 {
		return string(result.Code), nil
	}
	fault := &syntaxError{path: path, line: 1, column: 1, message: result.Errors[0].Text}
	if at := result.Errors[0].Location; at != nil {
		fault.line, fault.column = at.Line, at.Column+1
	}
	return "", fault
}

// faultOf finds the place in an error of goja's parser or compiler.
func faultOf(path string, err error) error {
	var list parser.ErrorList
	var compilerError *goja.CompilerSyntaxError
	fault := &syntaxError{path: path, line: 1, column: 1, message: err.Error()}
	if known := (*syntaxError)(nil); errors.As(err, &known) {
		return known
	}
	at := func(p file.Position, message string) {
		fault.line, fault.column, fault.message = p.Line, p.Column, message
	}
	switch {
	case errors.As(err, &list) && len(list) > 0:
		at(list[0].Position, list[0].Message)
	case errors.As(err, &compilerError) && compilerError.File != nil:
		at(compilerError.File.Position(compilerError.Offset), compilerError.Message)
	}
	return fault
}
