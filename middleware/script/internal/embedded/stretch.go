package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"

	"github.com/dop251/goja"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// A stretch is what the script computes without a pause. The state of an engine is the number of the stretch
// times two, plus one while it runs; a stretch that was condemned is the engine's last.
const condemned = math.MaxUint64

// stretch runs f for a client, or for nobody, and what f leaves to be run right after. It reports whether
// the engine may go on.
func (e *engine) stretch(d *decide.Decision, f func()) (alive bool) {
	e.stretches++
	running := e.stretches<<1 | 1
	e.working, e.charged = d, 0
	e.owner.Store(d)
	if old := e.state.Load(); old == condemned || !e.state.CompareAndSwap(old, running) {
		return false
	}
	defer func() {
		if p := recover(); p != nil {
			safely.Count()
			e.script.Log.Log(slog.LevelError, "script engine failed", "error", fmt.Sprint(p), "stack", string(debug.Stack()))
			e.condemn(running, fmt.Errorf("the script engine failed: %v", p))
			alive = false
		}
	}()
	f()
	e.runTicks()
	e.reportRejections()
	if !e.state.CompareAndSwap(running, running-1) {
		return false
	}
	e.owner.Store(nil)
	return true
}

// condemn ends the engine because of the stretch that is given by its state, if that still runs, and has the
// script started anew. It is for any goroutine.
func (e *engine) condemn(running uint64, cause error) {
	if !e.state.CompareAndSwap(running, condemned) {
		return
	}
	guilty := e.owner.Load() // stays, as the event loop does not get past a condemned stretch
	e.vm.Interrupt(cause)
	e.cancel()
	e.finishLoading(fmt.Errorf("%s: %w", e.script.Path(), cause))
	if guilty != nil {
		e.script.Settle(guilty, cause)
	}
	e.cause = cause
	close(e.failed)
}

// call calls a function of the script from Go and reports what it throws. After a stretch was condemned it does
// nothing: goja forgets an interruption as soon as the call is over that it ended.
func (e *engine) call(f goja.Callable, this goja.Value, args ...goja.Value) goja.Value {
	if e.state.Load() == condemned {
		return nil
	}
	value, err := f(this, args...)
	if err != nil {
		e.uncaught(err)
		return nil
	}
	return value
}

// uncaught deals with an error that nothing in the script caught. If the script was working for a client who
// waits, it is that client who is blocked.
func (e *engine) uncaught(err error) {
	var interrupted *goja.InterruptedError
	if errors.As(err, &interrupted) {
		return // the engine ends; who interrupted it tells why
	}
	d := e.owner.Load()
	reason := e.describe(err)
	var overflow *goja.StackOverflowError
	if errors.As(err, &overflow) {
		// goja has thrown the callbacks of promises away, and the depth that it counts may be wrong from now on.
		e.condemn(e.state.Load(), reason)
		return
	}
	if d != nil && e.script.Settle(d, reason) {
		e.script.Log.Log(slog.LevelError, "the script failed", "client", nodeAddress(d.Client.Remote.Addr()), "error", reason.Error(), "stack", stackOf(err))
		defer e.closeSocket(d)
	} else {
		e.script.Log.Log(slog.LevelError, "the script failed", "error", reason.Error(), "stack", stackOf(err))
	}
	e.emitUncaught(err)
}

// describe makes an error of the script one line that names the place.
func (e *engine) describe(err error) error {
	var overflow *goja.StackOverflowError
	if errors.As(err, &overflow) {
		return errors.New(placeOf(overflow.Stack()) + "too much recursion")
	}
	var exception *goja.Exception
	if errors.As(err, &exception) {
		v := exception.Value()
		return errors.New(placeOf(exception.Stack()) + e.nameOf(v) + e.reason(v))
	}
	return err
}

// placeOf returns the innermost place in a stack that is in a file of the user's.
func placeOf(stack []goja.StackFrame) string {
	for _, frame := range stack {
		if name := frame.SrcName(); isUserFile(name) {
			p := frame.Position()
			return placeAt(p.Filename, p.Line, p.Column)
		}
	}
	return ""
}

func stackOf(err error) string {
	var overflow *goja.StackOverflowError
	if errors.As(err, &overflow) {
		return "" // thousands of lines
	}
	var exception *goja.Exception
	if errors.As(err, &exception) {
		return exception.String()
	}
	var rejected *rejection
	if errors.As(err, &rejected) {
		return rejected.stack
	}
	return ""
}

// reason turns what a script gave as a reason into text: the message of an error, else what String makes of
// it.
func (e *engine) reason(v goja.Value) (text string) {
	if s, ok := v.(goja.String); ok {
		text = s.String()
	} else if exception := e.vm.Try(func() {
		if object, ok := v.(*goja.Object); ok && object.ClassName() == "Error" {
			text = nilSafe(object.Get("message")).String()
		} else if symbol, ok := v.(*goja.Symbol); ok {
			text = "Symbol(" + symbol.String() + ")"
		} else {
			text = v.String()
		}
	}); exception != nil {
		return "a reason that is no text"
	}
	const most = 1000 // reasons go to the log
	if len(text) > most {
		text = text[:most] + "…"
	}
	return text
}

// nameOf returns the name of an error that says more than "Error", with a colon.
func (e *engine) nameOf(v goja.Value) (name string) {
	e.vm.Try(func() {
		if object, ok := v.(*goja.Object); ok && object.ClassName() == "Error" {
			if n := nilSafe(object.Get("name")).String(); n != "Error" {
				name = n + ": "
			}
		}
	})
	return name
}
