package embedded

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/modules"
)

//go:embed js
var shims embed.FS

// compiled are this package's own JavaScript files, compiled once for all scripts.
var compiled sync.Map

// shim runs one of this package's own JavaScript files, between a head and a tail.
func (e *engine) shim(name, head, tail string) (quickjs.Value, error) {
	code, ok := compiled.Load(name)
	if !ok {
		text, err := decide.SharedText(strings.TrimPrefix(name, "internal/"))
		if err != nil {
			own, err := shims.ReadFile("js/" + name + ".js")
			if err != nil {
				panic(err)
			}
			text = string(own)
		}
		if code, err = e.vm.Compile("node:"+name, head+text+tail); err != nil {
			return quickjs.Undefined, err
		}
		compiled.Store(name, code)
	}
	return e.vm.Run(code.([]byte))
}

// builtins are the modules of Node that scripts may require.
var builtins = sync.OnceValue(func() map[string]bool {
	all := map[string]bool{"fs/promises": true, "dns/promises": true, "timers/promises": true, "path/posix": true}
	files, err := shims.ReadDir("js")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		if !file.IsDir() {
			all[strings.TrimSuffix(file.Name(), ".js")] = true
		}
	}
	return all
})

// Builtins returns the modules of Node that scripts may require, with the names of what each exports.
func Builtins() map[string][]string { return exportsOfBuiltins() }

var exportsOfBuiltins = sync.OnceValue(func() map[string][]string {
	exports := make(map[string][]string)
	e := newEngine(NewRuntime(), nil)
	vm, err := quickjs.New(64<<20, e)
	if err != nil {
		panic(err)
	}
	e.vm = vm
	defer vm.Close()
	e.install()
	// What files have, and a global that has no module.
	exports["globalThis/module"] = []string{"exports", "filename", "id", "loaded", "parent", "path", "require"}
	exports["globalThis/require"] = []string{"cache", "main", "resolve"}
	exports["globalThis/require/resolve"] = []string{}
	exports["globalThis/performance"] = []string{"now", "timeOrigin"}
	for name := range builtins() {
		v, err := vm.Call(e.entry["exports"], name)
		if err != nil {
			panic(fmt.Sprintf("built-in module %s: %v", name, err))
		}
		text, _ := vm.Text(v)
		exports[name] = strings.Split(text, ",")
	}
	return exports
})

// MissingGlobals are the globals of Node that scripts do not have in this runtime.
var MissingGlobals = strings.Fields(`AbortController AbortSignal Atomics Blob BroadcastChannel CompressionStream CustomEvent DOMException
	DecompressionStream Event EventSource EventTarget File FormData Headers Intl MessageChannel MessageEvent MessagePort ReadableStream
	Request Response SharedArrayBuffer Storage TextDecoder TextEncoder TransformStream WebAssembly WebSocket WritableStream
	atob btoa crypto fetch localStorage navigator sessionStorage structuredClone`)

// MissingMethods are the methods of Node's objects that those of this runtime do not have.
var MissingMethods = strings.Fields(`copyBytesFrom getMaxListeners hasRef isBlockList rawListeners swap16 swap32 swap64 readIntBE readIntLE readUIntLE readUintBE
	readUintLE writeIntBE writeIntLE writeUIntBE writeUIntLE writeUintBE writeUintLE`)

// problem is an error with properties that scripts know.
type problem struct {
	error
	class      string
	properties any
}

func (p *problem) Unwrap() error         { return p.error }
func (p *problem) Fields() (string, any) { return p.class, p.properties }

func missing(err error) error {
	return &problem{err, "Error", map[string]any{"code": "MODULE_NOT_FOUND"}}
}

// install gives the VM its globals, and the engine its entries. What goes wrong is a fault of this package.
func (e *engine) install() {
	main, err := e.shim("internal/main", "", "")
	if err == nil {
		native := e.vm.NewObject(e.functions())
		_, err = e.vm.Call(main, native)
		e.vm.Free(native)
		e.vm.Free(main)
	}
	var exception *quickjs.Exception
	if errors.As(err, &exception) {
		text, _ := e.vm.Text(exception.Value)
		err = errors.New(text)
	}
	if err != nil && !errors.Is(err, quickjs.ErrInterrupted) {
		panic(fmt.Sprintf("built-in JavaScript: %v", err))
	}
}

// load runs the script and its run function.
func (e *engine) load() {
	e.install()
	e.call(e.entry["load"], e.script.Path(), decide.PrepareLimit.Milliseconds())
}

// functions are all that JavaScript may call.
func (e *engine) functions() map[string]quickjs.Function {
	all := map[string]quickjs.Function{
		"entry": does(func(a []any) { e.entry[a[0].(string)] = e.vm.Dup(a[1].(quickjs.Value)) }),
		"thrower": does(func(a []any) {
			e.vm.SetThrower(e.vm.Dup(a[0].(quickjs.Value)))
		}),
		"isReading": func([]any) (any, error) { return e.waitingJobs.Load() > 0, nil },
		"ready": does(func([]any) {
			e.ready.Store(true)
			e.finishLoading(nil)
		}),
		"broken": does(func(a []any) { e.finishLoading(errors.New(a[0].(string))) }),
	}
	for _, more := range []map[string]quickjs.Function{
		e.clientFunctions(), e.timerFunctions(), e.moduleFunctions(), e.fileFunctions(), e.nameFunctions(), e.systemFunctions(), e.dataFunctions(),
	} {
		for name, f := range more {
			all[name] = f
		}
	}
	return all
}

// does makes a function of JavaScript of one that returns nothing.
func does(f func(a []any)) quickjs.Function {
	return func(a []any) (any, error) {
		f(a)
		return nil, nil
	}
}

// moduleFunctions are what js/internal/main.js calls for require.
func (e *engine) moduleFunctions() map[string]quickjs.Function {
	return map[string]quickjs.Function{
		"isModule": func(a []any) (any, error) { return builtins()[a[0].(string)], nil },
		"builtin": func(a []any) (any, error) {
			v, err := e.shim(a[0].(string), "(function (exports, require, module, native) {", "\n})")
			return quickjs.Owned{Value: v}, err
		},
		"resolve": func(a []any) (any, error) {
			path, err := modules.Resolve(a[0].(string), a[1].(string))
			if err != nil {
				return nil, missing(err)
			}
			return path, nil
		},
		"compile": func(a []any) (any, error) {
			path := a[0].(string)
			text, err := e.source(path)
			if err != nil {
				return nil, err
			}
			v, err := e.vm.Eval(path, a[1].(string)+text+"\n})")
			return quickjs.Owned{Value: v}, err
		},
		"json": func(a []any) (any, error) {
			path := a[0].(string)
			text, err := e.source(path)
			if err != nil {
				return nil, err
			}
			v, err := e.vm.ParseJSON(path, text)
			return quickjs.Owned{Value: v}, err
		},
		"isMissing": func(a []any) (any, error) { return slices.Contains(MissingGlobals, a[0].(string)), nil },
	}
}

// source reads a file, anew if this engine has had it already.
func (e *engine) source(path string) (string, error) {
	fresh := e.read[path]
	e.read[path] = true
	text, err := e.sources.get(path, fresh)
	if errors.Is(err, fs.ErrNotExist) {
		err = missing(fmt.Errorf("cannot find the file %s", path))
	}
	return text, err
}
