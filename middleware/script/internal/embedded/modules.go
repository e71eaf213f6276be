package embedded

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
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

// shim returns the function that is one of this package's own JavaScript files, or one that the runtimes have in common.
func (e *engine) shim(name string) (quickjs.Value, error) {
	code, ok := compiled.Load(name)
	if !ok {
		own, _ := shims.ReadFile("js/" + name + ".js")
		shared, _ := decide.SharedText(strings.TrimPrefix(name, "internal/"))
		text := "(function (exports, require, module, native) {" + cmp.Or(string(own), shared) + "\n})"
		var err error
		if code, err = e.vm.Compile("node:"+name, text); err != nil {
			return quickjs.Undefined, err
		}
		compiled.Store(name, code)
	}
	return e.vm.Run(code.([]byte))
}

// isBuiltin reports whether scripts may require a module of Node.
func isBuiltin(name string) bool {
	_, err := fs.Stat(shims, "js/"+name+".js")
	return err == nil && !strings.HasPrefix(name, "internal/")
}

// Builtins returns the modules of Node that scripts may require, with the names of what each exports. There are none on systems
// without this runtime.
func Builtins() map[string][]string { return exportsOfBuiltins() }

var exportsOfBuiltins = sync.OnceValue(func() map[string][]string {
	e, err := newEngine(NewRuntime(), nil, 64<<20)
	if err != nil {
		return nil
	}
	defer e.vm.Close()
	defer e.cancel(nil)
	e.install()
	exports := map[string][]string{ // what files have, and a global that has no module
		"globalThis/module":          {"exports", "filename", "id", "loaded", "parent", "path", "require"},
		"globalThis/require":         {"cache", "main", "resolve"},
		"globalThis/require/resolve": {},
		"globalThis/performance":     {"now", "timeOrigin"},
	}
	_ = fs.WalkDir(shims, "js", func(path string, file fs.DirEntry, _ error) error {
		if name := strings.TrimSuffix(strings.TrimPrefix(path, "js/"), ".js"); !file.IsDir() && isBuiltin(name) {
			v, err := e.vm.Call(e.entry["exports"], name)
			if err != nil {
				panic(fmt.Sprintf("built-in module %s: %v", name, err))
			}
			text, _ := e.vm.Text(v)
			exports[name] = strings.Split(text, ",")
		}
		return nil
	})
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

// MissingOptions are methods of the language with the number of arguments behind which come options that this runtime does not know.
var MissingOptions = map[string]int{"localeCompare": 2, "toLocaleString": 1, "toLocaleDateString": 1, "toLocaleTimeString": 1}

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
	main, err := e.shim("internal/main")
	if err == nil {
		native := e.vm.NewObject(e.functions())
		_, err = e.vm.Call(main, nil, nil, nil, native)
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
		"entry":     does(func(a []any) { e.entry[a[0].(string)] = e.vm.Dup(a[1].(quickjs.Value)) }),
		"thrower":   does(func(a []any) { e.vm.SetThrower(e.vm.Dup(a[0].(quickjs.Value))) }),
		"isReading": func([]any) (any, error) { return e.waitingJobs > 0, nil },
		"ready": does(func([]any) {
			e.ready.Store(true)
			decide.Offer(e.loaded, nil)
		}),
		"broken":  does(func(a []any) { decide.Offer(e.loaded, errors.New(kept(a[0]))) }),
		"collect": does(func([]any) { e.vm.Collect() }),
	}
	for _, more := range []map[string]quickjs.Function{
		e.clientFunctions(), e.timerFunctions(), e.moduleFunctions(), e.fileFunctions(), e.nameFunctions(), e.systemFunctions(), e.dataFunctions(),
	} {
		maps.Copy(all, more)
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
		"isModule": func(a []any) (any, error) { return isBuiltin(a[0].(string)), nil },
		"builtin": func(a []any) (any, error) {
			v, err := e.shim(a[0].(string))
			return quickjs.Owned{Value: v}, err
		},
		"resolve": func(a []any) (any, error) {
			path, err := modules.Resolve(a[0].(string), a[1].(string))
			if err != nil {
				return nil, missing(err)
			}
			return path, nil
		},
		// file gives the value of a file of JSON, or the function that a head makes of one of JavaScript.
		"file": func(a []any) (any, error) {
			path := kept(a[0])
			text, err := e.source(path)
			if err != nil {
				return nil, err
			}
			var v quickjs.Value
			if strings.HasSuffix(path, ".json") {
				v, err = e.vm.ParseJSON(path, text)
			} else {
				v, err = e.vm.Eval(path, a[1].(string)+text+"\n})")
			}
			return quickjs.Owned{Value: v}, err
		},
		"isMissing": func(a []any) (any, error) { return slices.Contains(MissingGlobals, a[0].(string)), nil },
	}
}

// maxScript is how large a file of a script may be.
const maxScript = 128 << 20

// source returns the text of a file, as a function can have it in it. It is that which was read last, by another engine of the
// script, unless this engine has had the file already.
func (e *engine) source(path string) (string, error) {
	text, known := e.runtime.sources.Load(path)
	if !known || e.read[path] {
		data, err := modules.ReadFile(path, maxScript)
		if errors.Is(err, fs.ErrNotExist) {
			err = missing(fmt.Errorf("cannot find the file %s", path))
		}
		if err != nil {
			return "", err
		}
		own := strings.TrimPrefix(string(data), "\ufeff")
		if strings.HasPrefix(own, "#!") {
			own = "//" + own
		}
		text = own
		e.runtime.sources.Store(path, text)
	}
	e.read[path] = true
	return text.(string), nil
}
