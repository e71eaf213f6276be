package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/evanw/esbuild/pkg/api"
	"github.com/go-sourcemap/sourcemap"
)

// sources remembers the files that a script consists of as they were read last: a script that is started
// anew is the same, whatever has become of its files. It is shared by the engines of a script.
type sources struct {
	mu    sync.Mutex
	files map[string]*source
}

// source is a file, and what QuickJS gets of it.
type source struct {
	text, program string
	places        *sourcemap.Consumer // nil if they are the same in both
}

func newSources() *sources { return &sources{files: make(map[string]*source)} }

// get returns a file, read anew if fresh is true or it was never read. An ES module is checked before it is rewritten.
func (s *sources) get(path string, fresh bool, check func(text string) error) (*source, error) {
	s.mu.Lock()
	known := s.files[path]
	s.mu.Unlock()
	if known != nil && !fresh {
		return known, nil
	}
	data, err := readScript(path)
	if err != nil {
		return nil, err
	}
	if known != nil && known.text == string(data) {
		return known, nil
	}
	read := &source{text: string(data)}
	if read.program, read.places, err = programOf(path, read.text, check); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files[path] = read
	return read, nil
}

// The function that Node would wrap a module in.
const (
	wrapperHead = "(function (exports, require, module, __filename, __dirname) {"
	wrapperTail = "\n})"
)

// modular finds what only ES modules have, and import().
var modular = regexp.MustCompile(`(?m)^\s*(?:import\b\s*["'{*\w$]|export\b\s*["'{*\w$])|\bimport\s*\(|\bimport\.meta\b|;\s*(?:import|export)\b`)

// programOf makes of a file what can be wrapped in a function. What has import and export is rewritten by esbuild, which
// ends the process if code is nested too deeply, so that it must get none that QuickJS does not take.
func programOf(path, text string, check func(text string) error) (program string, places *sourcemap.Consumer, err error) {
	text = strings.TrimPrefix(text, "\ufeff")
	if strings.HasPrefix(text, "#!") {
		text = "//" + text
	}
	if strings.HasSuffix(path, ".json") || !modular.MatchString(text) {
		return text, nil, nil
	}
	if err := check(text); err != nil {
		return "", nil, err
	}
	result := transform(path, text)
	if fault := faultIn(path, result); fault != nil {
		return "", nil, fault
	}
	places, err = sourcemap.Parse("", result.Map)
	return string(result.Code), places, err
}

// transform rewrites an ES module as one of CommonJS.
func transform(path, text string) api.TransformResult {
	return api.Transform(text, api.TransformOptions{
		Sourcefile: path,
		Loader:     api.LoaderJS,
		Format:     api.FormatCommonJS,
		Platform:   api.PlatformNode,
		Target:     api.ES2023,
		Sourcemap:  api.SourceMapExternal,
		Supported:  map[string]bool{"dynamic-import": false},
	})
}

// place returns where in a file what stands at a place in its program comes from.
func (s *sources) place(path string, line, column int) (int, int) {
	if line == 1 && column > len(wrapperHead) {
		column -= len(wrapperHead)
	}
	s.mu.Lock()
	known := s.files[path]
	s.mu.Unlock()
	if known == nil || known.places == nil {
		return line, column
	}
	if _, _, at, offset, ok := known.places.Source(line, max(0, column-1)); ok {
		return at, offset + 1
	}
	return line, column
}

func faultIn(path string, result api.TransformResult) error {
	if len(result.Errors) == 0 {
		return nil
	}
	line, column := 1, 1
	if at := result.Errors[0].Location; at != nil {
		line, column = at.Line, at.Column+1
	}
	return placed(path, line, column, "SyntaxError: "+result.Errors[0].Text)
}

// placed is a syntax error whose message names its place.
func placed(path string, line, column int, message string) error {
	return &problem{fmt.Errorf("%s:%d:%d: %s", path, line, column, message), "SyntaxError", map[string]any{"placed": true}}
}

func jsonError(path, text string, err error) error {
	var fault *json.SyntaxError
	if !errors.As(err, &fault) {
		return placed(path, 1, 1, "SyntaxError: no JSON")
	}
	before := []byte(text)[:max(0, min(int(fault.Offset)-1, len(text)))]
	return placed(path, 1+bytes.Count(before, []byte("\n")), len(before)-bytes.LastIndexByte(before, '\n'), err.Error())
}

// mainProgram is the file that runs.
func mainProgram() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// maxScript is how large a file of a script may be.
const maxScript = 128 << 20

// readScript reads a file unless that has no end or may take forever.
func readScript(path string) ([]byte, error) {
	if info, err := os.Stat(path); err == nil && !info.IsDir() && (!info.Mode().IsRegular() || info.Size() > maxScript) {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", path, maxScript)
	}
	return os.ReadFile(path)
}
