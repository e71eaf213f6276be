package embedded

import (
	"os"
	"path/filepath"
	"strconv"

	"github.com/dop251/goja"

	files "github.com/caddy-sticky/caddy-sticky/middleware/script/internal/modules"
)

// mainProgram is the file that runs.
func mainProgram() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// module makes the object of a file that parent, another one or null, asks for.
func (m *modules) module(path string, parent goja.Value) *goja.Object {
	vm := m.engine.vm
	module := vm.NewObject()
	folder := filepath.Dir(path)
	for _, property := range []struct {
		name  string
		value any
	}{
		{"id", path},
		{"path", folder},
		{"exports", vm.NewObject()},
		{"filename", path},
		{"loaded", false},
		{"children", vm.NewArray()},
		{"paths", m.strings(files.PackageFolders(folder))},
	} {
		_ = module.Set(property.name, property.value)
	}
	hidden := func(name string, value goja.Value) {
		_ = module.DefineDataProperty(name, value, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	}
	hidden("parent", parent)
	hidden("require", m.requireFunction(module, folder))
	return module
}

func (m *modules) strings(list []string) *goja.Object {
	values := make([]any, len(list))
	for i, text := range list {
		values[i] = text
	}
	return m.engine.vm.NewArray(values...)
}

// adopt notes that a module has asked for another one. A file that is read anew takes the place of what it was before,
// or the list would grow without end.
func adopt(parent, child *goja.Object) {
	children, ok := parent.Get("children").(*goja.Object)
	if !ok {
		return
	}
	at := 0
	for n := int(nilSafe(children.Get("length")).ToInteger()); at < n; at++ {
		known, ok := children.Get(strconv.Itoa(at)).(*goja.Object)
		if ok && nilSafe(known.Get("filename")).SameAs(child.Get("filename")) {
			break
		}
	}
	_ = children.Set(strconv.Itoa(at), child)
}

// requireFunction is the require of a module in a folder.
func (m *modules) requireFunction(module *goja.Object, folder string) *goja.Object {
	vm := m.engine.vm
	require := vm.ToValue(func(call goja.FunctionCall) goja.Value {
		return m.require(module, folder, call.Argument(0).String())
	}).ToObject(vm)
	resolve := vm.ToValue(func(call goja.FunctionCall) goja.Value {
		return vm.ToValue(m.resolve(folder, call.Argument(0).String(), call.Argument(1)))
	}).ToObject(vm)
	_ = resolve.Set("paths", func(call goja.FunctionCall) goja.Value {
		switch name := call.Argument(0).String(); {
		case isBuiltin(name):
			return goja.Null()
		case files.IsPath(name):
			return m.strings([]string{folder})
		}
		return m.strings(files.PackageFolders(folder))
	})
	main := m.main
	if main == nil {
		main = module // it is that of the main program
	}
	_ = require.Set("resolve", resolve)
	_ = require.Set("main", main)
	_ = require.Set("extensions", vm.NewObject())
	_ = require.Set("cache", m.cache)
	return require
}

// resolve is require.resolve, with options that may say where to look.
func (m *modules) resolve(folder, name string, options goja.Value) string {
	if isBuiltin(name) {
		return name
	}
	folders := []string{folder}
	if given, ok := options.(*goja.Object); ok && !goja.IsUndefined(nilSafe(given.Get("paths"))) {
		folders = nil
		if err := m.engine.vm.ExportTo(given.Get("paths"), &folders); err != nil || len(folders) == 0 {
			panic(m.engine.makeError("TypeError", "require.resolve: options.paths is no list of folders"))
		}
	}
	var fault error
	for _, at := range folders {
		path, err := files.Resolve(at, name)
		if err == nil {
			return path
		}
		fault = err
	}
	m.missing(fault)
	return ""
}
