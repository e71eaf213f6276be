package embedded

import (
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"

	"github.com/dop251/goja"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
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

// addressOf reads (host, port), or throws.
func (e *engine) addressOf(call goja.FunctionCall) string {
	host, port := call.Argument(0).String(), call.Argument(1)
	if n := port.ToInteger(); host == "" || n < 1 || n > math.MaxUint16 {
		panic(e.vm.NewTypeError("balancer: %s:%s is no target", host, port.String()))
	}
	return net.JoinHostPort(host, strconv.FormatInt(port.ToInteger(), 10))
}

var (
	errNoTargets = errors.New("not available here: a middleware decides who may come in, not where to")
	errLoading   = errors.New("not available while the script is loaded: the targets are not known yet")
	errFixed     = errors.New("not available here: the targets are those of the config; change them there and reload it")
)

// targets returns who knows the targets, or has the function of the balancer throw.
func (e *engine) targets(function string) decide.Targets {
	targets := e.script.Options().Targets
	if targets == nil {
		e.must(function, errNoTargets)
	}
	if !e.ready.Load() {
		e.must(function, errLoading)
	}
	return targets
}

// must throws an error of a function of the balancer.
func (e *engine) must(function string, err error) {
	if err != nil {
		panic(e.vm.NewGoError(fmt.Errorf("balancer.%s: %w", function, err)))
	}
}

func (e *engine) isTargetActive(call goja.FunctionCall) goja.Value {
	const function = "isTargetActive"
	active, err := e.targets(function).IsActive(e.addressOf(call))
	e.must(function, err)
	return e.vm.ToValue(active)
}

func (e *engine) deactivateTarget(call goja.FunctionCall) goja.Value {
	const function = "deactivateTarget"
	e.must(function, e.targets(function).Deactivate(e.addressOf(call)))
	return goja.Undefined()
}

func (e *engine) setTargets(goja.FunctionCall) goja.Value {
	e.must("setTargets", errFixed)
	return goja.Undefined()
}

func nilSafe(v goja.Value) goja.Value {
	if v == nil {
		return goja.Undefined()
	}
	return v
}

// emitNotice has the balancer emit why a client was blocked to the listeners that the script has added.
func (e *engine) emitNotice(reason goja.Value) { e.emit(e.balancer, "notice", reason) }

// emitError has the balancer emit what went wrong.
func (e *engine) emitError(thrown goja.Value) { e.emit(e.balancer, "error", thrown) }

// emitUncaught has the balancer and the process emit what nothing caught. Whoever listens learns of it and no more: the
// client has been blocked.
func (e *engine) emitUncaught(err error) {
	value := thrown(e.vm, err)
	e.emitError(value)
	event := "uncaughtException"
	if rejected := (*rejection)(nil); errors.As(err, &rejected) {
		event = "unhandledRejection"
	}
	e.emit(e.process, event, value)
}

func (e *engine) emit(emitter *goja.Object, event string, value goja.Value) {
	if emitter == nil || !hasListeners(emitter) || e.emitting || e.state.Load() == condemned {
		return
	}
	if emit, ok := goja.AssertFunction(emitter.Get("_notify")); ok {
		e.emitting = true // a listener that throws must not be told of it
		defer func() { e.emitting = false }()
		if _, err := emit(emitter, e.vm.ToValue(event), value); err != nil {
			e.uncaught(err)
		}
	}
}
