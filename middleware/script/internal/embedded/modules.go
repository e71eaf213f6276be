package embedded

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/dop251/goja"

	files "github.com/caddy-sticky/caddy-sticky/middleware/script/internal/modules"
)

// modules is what require has loaded in an engine.
type modules struct {
	engine   *engine
	cache    *goja.Object // require.cache: modules by their file
	main     *goja.Object // the program that the script is a part of, as it is under LoadBalancer.js
	builtins map[string]goja.Value
	read     map[string]bool // files that this engine has had already

	trackMatches goja.Callable // has RegExp keep the last match
}

func newModules(e *engine) *modules {
	m := &modules{engine: e, cache: e.vm.NewObject(), builtins: make(map[string]goja.Value), read: make(map[string]bool)}
	m.main = m.module(mainProgram(), goja.Null())
	_ = m.main.Set("id", ".")
	return m
}

// isUserFile tells the names of files from those that this package gives to its own JavaScript.
func isUserFile(name string) bool { return filepath.IsAbs(name) }

// load runs the script and its run function.
func (e *engine) load() {
	e.vm.SetMaxCallStackSize(maxCallDepth)
	e.followPromises()
	e.modules = newModules(e)
	e.install()
	err := e.try(func() {
		exports := e.modules.file(e.script.Path(), e.modules.main)
		e.run(exports)
	})
	if err != nil {
		e.finishLoading(e.loadError(err))
	}
}

// run calls the script's run function and waits for its promise if it returns one.
func (e *engine) run(exports goja.Value) {
	object, ok := exports.(*goja.Object)
	var run goja.Callable
	if ok {
		run, ok = goja.AssertFunction(nilSafe(object.Get("run")))
	}
	if !ok {
		e.finishLoading(fmt.Errorf("%s: module.exports.run is not a function", e.script.Path()))
		return
	}
	result, err := run(object, e.balancer)
	if err != nil {
		panic(err)
	}
	if _, ok := result.Export().(*goja.Promise); !ok {
		e.hasRun()
		return
	}
	then, _ := goja.AssertFunction(result.ToObject(e.vm).Get("then"))
	fulfilled := func(goja.FunctionCall) goja.Value { e.hasRun(); return goja.Undefined() }
	rejected := func(call goja.FunctionCall) goja.Value {
		e.finishLoading(e.loadError(e.rejected(call.Argument(0))))
		return goja.Undefined()
	}
	if _, err := then(result, e.vm.ToValue(fulfilled), e.vm.ToValue(rejected)); err != nil {
		panic(err)
	}
}

// loadError is an error that begins with the file at fault.
func (e *engine) loadError(err error) error {
	var exception *goja.Exception
	if errors.As(err, &exception) {
		if message := e.reason(exception.Value()); filepath.IsAbs(message) {
			return errors.New(message) // of a file that cannot be compiled, which need not be the one that requires it
		}
	}
	described := e.describe(err)
	if filepath.IsAbs(described.Error()) {
		return described
	}
	return fmt.Errorf("%s: %w", e.script.Path(), described)
}

// try runs f and returns what it throws, be it from Go or from JavaScript.
func (e *engine) try(f func()) (err error) {
	wrapped, _ := goja.AssertFunction(e.vm.ToValue(func(goja.FunctionCall) goja.Value {
		f()
		return goja.Undefined()
	}))
	_, err = wrapped(goja.Undefined())
	return err
}

// require loads what a module in a folder asks for by a name.
func (m *modules) require(module *goja.Object, folder, name string) goja.Value {
	if isBuiltin(name) {
		return m.builtin(name)
	}
	path, err := files.Resolve(folder, name)
	if err != nil {
		m.missing(err)
	}
	return m.file(path, module)
}

func (m *modules) missing(err error) {
	panic(m.engine.codedError("Error", "MODULE_NOT_FOUND", err.Error()))
}

// file loads a file for a module, or returns what it gave when it was loaded before.
func (m *modules) file(path string, parent *goja.Object) goja.Value {
	if known, ok := m.cache.Get(path).(*goja.Object); ok {
		return nilSafe(known.Get("exports"))
	}
	module := m.module(path, parent)
	adopt(parent, module)
	_ = m.cache.Set(path, module)
	loaded := false
	defer func() {
		if !loaded {
			_ = m.cache.Delete(path) // so that another attempt is one
		}
	}()
	if filepath.Ext(path) == ".json" {
		_ = module.Set("exports", m.json(path))
	} else {
		m.javascript(path, module)
	}
	loaded = true
	_ = module.Set("loaded", true)
	return nilSafe(module.Get("exports"))
}

func (m *modules) source(path string, compiled bool) *source {
	fresh := m.read[path]
	m.read[path] = true
	text, err := m.engine.runtime.sources.get(path, fresh, compiled)
	var fault *syntaxError
	switch {
	case errors.As(err, &fault):
		panic(m.engine.makeError("SyntaxError", fault.Error()))
	case errors.Is(err, fs.ErrNotExist):
		m.missing(fmt.Errorf("cannot find the file %s", path))
	case err != nil:
		panic(m.engine.makeError("Error", err.Error()))
	}
	return text
}

func (m *modules) json(path string) goja.Value {
	text := bytes.TrimPrefix(m.source(path, false).text, []byte("\ufeff"))
	var fault *json.SyntaxError
	if err := json.Unmarshal(text, new(json.RawMessage)); errors.As(err, &fault) {
		before := text[:max(0, min(int(fault.Offset)-1, len(text)))]
		line := 1 + bytes.Count(before, []byte("\n"))
		column := len(before) - bytes.LastIndexByte(before, '\n')
		panic(m.engine.makeError("SyntaxError", fmt.Sprintf("%s:%d:%d: %v", path, line, column, err)))
	}
	parse, _ := goja.AssertFunction(m.engine.global("JSON").Get("parse"))
	value, err := parse(goja.Undefined(), m.engine.vm.ToValue(string(text)))
	if err != nil {
		panic(err)
	}
	return value
}

func (m *modules) javascript(path string, module *goja.Object) {
	vm := m.engine.vm
	source := m.source(path, true)
	if source.lastMatch {
		m.must(m.trackMatches(goja.Undefined()))
	}
	wrapper, err := vm.RunProgram(source.program)
	if err != nil {
		panic(err)
	}
	call, _ := goja.AssertFunction(wrapper)
	exports := module.Get("exports")
	folder := filepath.Dir(path)
	if _, err := call(exports, exports, module.Get("require"), module, vm.ToValue(path), vm.ToValue(folder)); err != nil {
		panic(err)
	}
}

// makeError makes an error of JavaScript.
func (e *engine) makeError(class, message string) *goja.Object {
	object, err := e.vm.New(e.vm.Get(class), e.vm.ToValue(message))
	if err != nil {
		panic(err)
	}
	return object
}

// codedError makes an error that has a code, as those of Node.
func (e *engine) codedError(class, code, message string) *goja.Object {
	object := e.makeError(class, message)
	_ = object.Set("code", code)
	return object
}
