package script

import (
	"errors"
	"fmt"

	"github.com/dop251/goja"
)

// connectionMiddleware is the one type of middleware there is.
const connectionMiddleware = "connection"

// addMiddleware is balancer.addMiddleware(type, function).
func (e *engine) addMiddleware(call goja.FunctionCall) goja.Value {
	if kind := call.Argument(0); kind.String() != connectionMiddleware {
		panic(e.vm.NewTypeError("balancer.addMiddleware: there is no middleware type %q", kind.String()))
	}
	f, ok := goja.AssertFunction(call.Argument(1))
	if !ok {
		panic(e.vm.NewTypeError("balancer.addMiddleware: the middleware is not a function"))
	}
	e.middlewares = append(e.middlewares, f)
	return goja.Undefined()
}

// targetOf reads (host, port) or throws.
func (e *engine) targetOf(host, port goja.Value) Target {
	t := Target{Host: host.String(), Port: int(port.ToInteger())}
	if t.Host == "" || t.Port < 1 || t.Port > 65535 {
		panic(e.vm.NewTypeError("balancer: %s:%s is no target", host.String(), port.String()))
	}
	return t
}

// must throws an error.
func (e *engine) must(what string, err error) {
	if err != nil {
		panic(e.vm.NewGoError(fmt.Errorf("balancer.%s: %w", what, err)))
	}
}

var errNoTargets = errors.New("not available here: a middleware decides who may come in, not where to")

func (e *engine) isTargetActive(call goja.FunctionCall) goja.Value {
	f := e.script.options.Targets.IsActive
	if f == nil {
		e.must("isTargetActive", errNoTargets)
	}
	active, err := f(e.targetOf(call.Argument(0), call.Argument(1)))
	e.must("isTargetActive", err)
	return e.vm.ToValue(active)
}

func (e *engine) deactivateTarget(call goja.FunctionCall) goja.Value {
	f := e.script.options.Targets.Deactivate
	if f == nil {
		e.must("deactivateTarget", errNoTargets)
	}
	e.must("deactivateTarget", f(e.targetOf(call.Argument(0), call.Argument(1))))
	return goja.Undefined()
}

func (e *engine) setTargets(call goja.FunctionCall) goja.Value {
	f := e.script.options.Targets.Set
	if f == nil {
		e.must("setTargets", errNoTargets)
	}
	var targets []Target
	e.vm.ForOf(call.Argument(0), func(v goja.Value) bool {
		o := v.ToObject(e.vm)
		targets = append(targets, e.targetOf(nilSafe(o.Get("host")), nilSafe(o.Get("port"))))
		return true
	})
	e.must("setTargets", f(targets))
	return goja.Undefined()
}

func nilSafe(v goja.Value) goja.Value {
	if v == nil {
		return goja.Undefined()
	}
	return v
}

// emitNotice and emitError have the balancer emit an event to the listeners that the script has added.
func (e *engine) emitNotice(reason goja.Value) { e.emit("notice", reason) }
func (e *engine) emitError(thrown goja.Value)  { e.emit("error", thrown) }

func (e *engine) emit(event string, value goja.Value) {
	if e.balancer == nil || !hasListeners(e.balancer) || e.emitting {
		return
	}
	if emit, ok := goja.AssertFunction(e.balancer.Get("_notify")); ok {
		e.emitting = true // a listener that throws must not be told of it
		defer func() { e.emitting = false }()
		if _, err := emit(e.balancer, e.vm.ToValue(event), value); err != nil {
			e.uncaught(err)
		}
	}
}
