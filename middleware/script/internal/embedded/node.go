package embedded

import (
	"embed"
	"fmt"
	"log/slog"
	neturl "net/url"
	"strings"
	"sync"

	"github.com/dop251/goja"
	"github.com/dop251/goja_nodejs/url"
)

//go:embed js
var shims embed.FS

// shim returns one of this package's own JavaScript files.
func shim(name string) string {
	text, err := shims.ReadFile("js/" + name + ".js")
	if err != nil {
		panic(err)
	}
	return string(text)
}

// compiled returns a shim, compiled once for all scripts.
var compiled = func() func(name string) *goja.Program {
	var programs sync.Map
	return func(name string) *goja.Program {
		if program, ok := programs.Load(name); ok {
			return program.(*goja.Program)
		}
		program := goja.MustCompile("node:"+name, "(function (exports, require, module, binding) {"+shim(name)+"\n})", false)
		programs.Store(name, program)
		return program
	}
}()

// bindings gives the modules that are written in JavaScript what they need of Go.
type bindings = func(e *engine) map[string]any

// builtins are the Node modules that scripts may require.
var builtins map[string]bindings

// aliases are modules that are a property of another one, or another name for it.
var aliases = map[string][2]string{
	"fs/promises":       {"fs", "promises"},
	"dns/promises":      {"dns", "promises"},
	"timers/promises":   {"timers", "promises"},
	"util/types":        {"util", "types"},
	"path/posix":        {"path", "posix"},
	"assert/strict":     {"assert", "strict"},
	"stream/promises":   {"stream", "promises"},
	"readline/promises": {"readline", "promises"},
	"async_hooks":       {"internal/small", "async_hooks"},
	"cluster":           {"internal/small", "cluster"},
	"constants":         {"internal/small", "constants"},
	"perf_hooks":        {"internal/small", "perf_hooks"},
	"tty":               {"internal/small", "tty"},
}

func init() { // they call each other
	builtins = map[string]bindings{
		"internal/locale": (*engine).localeBinding,
		"assert":          nil, "diagnostics_channel": nil, "events": nil, "path": nil, "querystring": nil, "readline": nil, "stream": nil, "string_decoder": nil,
		"buffer":  (*engine).bufferBinding,
		"console": (*engine).consoleBinding,
		"crypto":  (*engine).cryptoBinding,
		"dns":     (*engine).dnsBinding,
		"fs":      (*engine).fsBinding,
		"http":    (*engine).httpBinding,
		"https":   (*engine).httpBinding,
		"net":     (*engine).netBinding,
		"os":      (*engine).osBinding,
		"process": (*engine).processBinding,
		"timers":  (*engine).timersBinding,
		"url":     (*engine).urlBinding,
		"util":    (*engine).utilBinding,
	}
	files, err := shims.ReadDir("js/internal")
	if err != nil {
		panic(err)
	}
	for _, file := range files {
		if name := internal + strings.TrimSuffix(file.Name(), ".js"); builtins[name] == nil {
			builtins[name] = nil // it needs nothing of Go
		}
	}
}

func isBuiltin(name string) bool {
	name = strings.TrimPrefix(name, "node:")
	_, own := builtins[name]
	_, alias := aliases[name]
	return own && !strings.HasPrefix(name, internal) || alias
}

// internal begins the names of modules that only others of this package require.
const internal = "internal/"

// builtin returns what a Node module exports.
func (m *modules) builtin(name string) goja.Value {
	name = strings.TrimPrefix(name, "node:")
	if exports := m.builtins[name]; exports != nil {
		return exports
	}
	if alias, ok := aliases[name]; ok {
		return m.builtin(alias[0]).ToObject(m.engine.vm).Get(alias[1])
	}
	file := name
	if name == "https" {
		file = "http"
	}
	var native map[string]any
	if bind := builtins[name]; bind != nil {
		native = bind(m.engine)
	}
	exports := m.internal(file, native, func(module *goja.Object) { m.builtins[name] = module.Get("exports") })
	if file == "http" {
		make, _ := goja.AssertFunction(exports)
		exports = m.must(make(goja.Undefined(), m.engine.vm.ToValue(name+":")))
	}
	m.builtins[name] = exports
	return exports
}

// internal runs one of this package's own files. It calls begun before it does, for modules that require
// each other.
func (m *modules) internal(file string, native map[string]any, begun func(*goja.Object)) goja.Value {
	vm := m.engine.vm
	call, _ := goja.AssertFunction(m.must(vm.RunProgram(compiled(file))))
	module, exports, binding := vm.NewObject(), vm.NewObject(), vm.NewObject()
	require := func(name string) goja.Value { return m.builtin(name) }
	for key, value := range native {
		_ = binding.Set(key, value)
	}
	_ = module.Set("exports", exports)
	if begun != nil {
		begun(module)
	}
	m.must(call(exports, exports, vm.ToValue(require), module, binding))
	return module.Get("exports")
}

// must throws what went wrong on.
func (m *modules) must(v goja.Value, err error) goja.Value {
	if err != nil {
		panic(err)
	}
	return v
}

// install makes the globals of Node and the object that run gets.
func (e *engine) install() {
	if err := e.try(func() {
		e.guard()
		e.completeRegExp()
		e.modules.internal("globals", nil, nil)
		e.process = e.modules.builtin("process").ToObject(e.vm)
		socket := e.modules.builtin("net").ToObject(e.vm).Get("Socket")
		e.socketProto = socket.ToObject(e.vm).Get("prototype").ToObject(e.vm)
		e.balancer = e.modules.internal("balancer", map[string]any{
			"addMiddleware":    e.addMiddleware,
			"isTargetActive":   e.isTargetActive,
			"deactivateTarget": e.deactivateTarget,
			"setTargets":       e.setTargets,
		}, nil).ToObject(e.vm)
	}); err != nil {
		panic(fmt.Sprintf("built-in JavaScript: %v", err))
	}
}

// urlBinding takes URL from goja_nodejs.
func (e *engine) urlBinding() map[string]any {
	module := e.vm.NewObject()
	_ = module.Set("exports", e.vm.NewObject())
	url.Require(e.vm, module)
	return map[string]any{"url": module.Get("exports"), "resolve": resolveURL}
}

func resolveURL(base, reference string) (string, error) {
	from, err := neturl.Parse(base)
	if err != nil {
		return "", err
	}
	from.Fragment = ""
	to, err := from.Parse(reference)
	if err != nil {
		return "", err
	}
	return to.String(), nil
}

func (e *engine) timersBinding() map[string]any {
	return map[string]any{
		"start": e.startTimer,
		"stop":  e.stopTimer,
		"immediate": func(call goja.FunctionCall) goja.Value {
			f, _ := goja.AssertFunction(call.Argument(0))
			e.post(e.owner.Load(), func() { e.call(f, goja.Undefined()) })
			return goja.Undefined()
		},
	}
}

func (e *engine) consoleBinding() map[string]any {
	levels := map[string]slog.Level{"debug": slog.LevelDebug, "warn": slog.LevelWarn, "error": slog.LevelError}
	return map[string]any{"log": func(level, message string) {
		const most = 10000
		if len(message) > most {
			message = message[:most] + "…"
		}
		e.script.Log.Log(levels[level], message) // info by default
	}}
}
