package embedded

import (
	"errors"

	"github.com/dop251/goja"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// chain is a client's way through the middlewares of one engine.
type chain struct {
	goja.Value // undefined: that a chain is a value lets a socket have it as a property at next to no cost

	engine   *engine
	decision *decide.Decision
	socket   *goja.Object
	next     int        // the middleware to ask next
	timer    goja.Value // the number of the socket's timer, if it has one
	keptOut  bool       // by the script
	admitted bool
}

// chainFor returns a client's chain, or nil if it has none.
func chainFor(d *decide.Decision) *chain {
	c, _ := d.State.Load().(*chain)
	return c
}

// decide asks the middlewares about a client.
func (e *engine) decide(d *decide.Decision) {
	if !e.script.Pending(d) {
		return
	}
	c := &chain{Value: goja.Undefined(), engine: e, decision: d}
	c.socket = e.newSocket(c)
	d.State.Store(c)
	e.advance(c)
}

// advance asks one middleware after the other until one does not answer at once, one blocks, or all have let
// the client in.
func (e *engine) advance(c *chain) {
	for c.next < len(e.middlewares) {
		middleware := e.middlewares[c.next]
		c.next++
		a := &turn{chain: c, running: true}
		_, err := middleware(goja.Undefined(), c.socket, e.vm.ToValue(a.answer))
		if err != nil {
			e.uncaught(err)
			return
		}
		a.running = false
		if !a.answered {
			return // it will; an async one that throws is seen as a rejection that nothing handles
		}
		if a.blocked || !e.script.Pending(c.decision) {
			return
		}
	}
	e.allow(c)
}

// turn is one middleware's.
type turn struct {
	chain    *chain
	running  bool // the middleware has not returned yet
	answered bool
	blocked  bool
}

// answer is the function that middlewares know as next. The first call counts.
func (t *turn) answer(call goja.FunctionCall) goja.Value {
	if t.answered {
		return goja.Undefined()
	}
	t.answered = true
	e := t.chain.engine
	if reason := call.Argument(0); reason.ToBoolean() {
		t.blocked = true
		e.block(t.chain.decision, reason)
	} else if !t.running && e.script.Pending(t.chain.decision) {
		working := e.owner.Load()
		e.owner.Store(t.chain.decision)
		e.advance(t.chain)
		e.owner.Store(working)
	}
	return goja.Undefined()
}

// block is what a middleware does by next.
func (e *engine) block(d *decide.Decision, reason goja.Value) {
	if !e.keepOut(d, errors.New(e.reason(reason))) {
		return
	}
	e.emitNotice(reason)
	if c := chainFor(d); c != nil && hasListeners(c.socket) {
		e.post(nil, func() { e.closeSocket(d) })
	}
}

// keepOut blocks a client, and reports whether it was waiting.
func (e *engine) keepOut(d *decide.Decision, reason error) bool {
	if !e.script.Settle(d, reason) {
		return false
	}
	if c := chainFor(d); c != nil {
		c.keptOut = true
		e.setTimer(c, nil)
	}
	return true
}

// allow lets a client in, and remembers to tell the script when it leaves if the script wants to know.
func (e *engine) allow(c *chain) {
	if !e.script.Settle(c.decision, nil) {
		return
	}
	c.admitted = true
	e.setTimer(c, nil)
	if hasListeners(c.socket) {
		e.follow(c)
	}
}
