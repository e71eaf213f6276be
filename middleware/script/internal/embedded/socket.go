package embedded

import (
	"errors"
	"net/netip"

	"github.com/dop251/goja"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// localEnd is the last local address that a socket was made for, as the prototype of sockets that came in by it:
// most clients come in by the same, and what a socket does not have of its own costs nothing.
type localEnd struct {
	address netip.AddrPort
	proto   *goja.Object
}

// chainProperty is where a socket has its chain. It is none of Node's properties, and is not enumerated.
const chainProperty = "_chain"

// newSocket makes the object that middlewares get: a net.Socket as they know it.
func (e *engine) newSocket(chain *chain) *goja.Object {
	c := chain.decision.Client
	if e.local.proto == nil || e.local.address != c.Local {
		e.local = localEnd{address: c.Local, proto: e.vm.CreateObject(e.socketProto)}
		_ = e.local.proto.Set("localAddress", nodeAddress(c.Local.Addr()))
		_ = e.local.proto.Set("localPort", int64(c.Local.Port()))
	}
	socket := e.vm.CreateObject(e.local.proto)
	_ = socket.Set("remoteAddress", nodeAddress(c.Remote.Addr()))
	_ = socket.DefineDataProperty(chainProperty, chain, goja.FLAG_FALSE, goja.FLAG_FALSE, goja.FLAG_FALSE)
	return socket
}

// remotePort is the getter of a property that is seldom read.
func (e *engine) remotePort(call goja.FunctionCall) goja.Value {
	if c := e.chainOf(call.This); c != nil {
		return e.vm.ToValue(int64(c.decision.Client.Remote.Port()))
	}
	return goja.Undefined()
}

// nodeAddress writes an address as Node does on a listener for both IPv4 and IPv6.
func nodeAddress(a netip.Addr) string {
	if a = a.Unmap(); a.Is4() {
		return "::ffff:" + a.String()
	}
	return a.String()
}

// hasListeners reports whether a socket has ever been listened to.
func hasListeners(socket *goja.Object) bool {
	return !goja.IsUndefined(nilSafe(socket.Get("_events")))
}

// closeSocket tells the script that a client's connection is over.
func (e *engine) closeSocket(d *decide.Decision) {
	c := chainFor(d)
	if c == nil || c.engine != e {
		return
	}
	delete(e.watched, c)
	e.setTimer(c, nil)
	if !hasListeners(c.socket) {
		_ = c.socket.Set("destroyed", true)
		return
	}
	if close, ok := goja.AssertFunction(c.socket.Get("_closed")); ok {
		e.call(close, c.socket, e.vm.ToValue(c.keptOut))
	}
}

// listens is what a socket calls with itself before it has its first listener. One that is decided about already has been
// passed over by those who would tell it of its end.
func (e *engine) listens(call goja.FunctionCall) goja.Value {
	switch c := e.chainOf(call.Argument(0)); {
	case c == nil:
	case c.admitted:
		e.follow(c)
	case c.keptOut:
		e.post(nil, func() { e.closeSocket(c.decision) })
	}
	return goja.Undefined()
}

// follow has the script told when a client that was let in leaves.
func (e *engine) follow(c *chain) {
	if d := c.decision; d.Client.OnEnd != nil {
		e.watched[c] = d.Client.OnEnd(func() { e.post(nil, func() { e.closeSocket(d) }) })
	}
}

// chainOf returns whose socket it is, or nil if it is none.
func (e *engine) chainOf(socket goja.Value) *chain {
	if object, ok := socket.(*goja.Object); ok {
		if c, ok := object.Get(chainProperty).(*chain); ok && c.socket == object {
			return c
		}
	}
	return nil
}

// hangUp is what destroy and end of a socket call with it, what they were called, and an error if there is one: it
// keeps out a client that waits, and kicks one that was let in. It returns false if that cannot be done.
func (e *engine) hangUp(call goja.FunctionCall) goja.Value {
	c := e.chainOf(call.Argument(0))
	if c == nil {
		return goja.Undefined()
	}
	if c.admitted {
		return e.vm.ToValue(e.kick(c))
	}
	reason := "the script called socket." + call.Argument(1).String() + "()"
	if err := call.Argument(2); err.ToBoolean() {
		reason += ": " + e.reason(err)
	}
	if e.keepOut(c.decision, errors.New(reason)) {
		e.post(nil, func() { e.closeSocket(c.decision) })
	}
	return goja.Undefined()
}

// kick ends the connection of a client that was let in, and reports whether it can.
func (e *engine) kick(c *chain) bool {
	if c.decision.Client.Kick == nil {
		return false
	}
	if stop := e.watched[c]; stop != nil {
		stop()
	}
	c.decision.Client.Kick()
	e.post(nil, func() { e.closeSocket(c.decision) })
	return true
}

// keepTimer is what setTimeout of a socket calls with it and the number of a timer, which goes on while the client
// waits for its decision.
func (e *engine) keepTimer(call goja.FunctionCall) goja.Value {
	timer := call.Argument(1)
	if c := e.chainOf(call.Argument(0)); c != nil && e.script.Pending(c.decision) {
		e.setTimer(c, timer)
	} else {
		e.stopTimer(goja.FunctionCall{Arguments: []goja.Value{timer}})
	}
	return goja.Undefined()
}

// setTimer replaces the timer of a socket.
func (e *engine) setTimer(c *chain, timer goja.Value) {
	if c.timer != nil {
		e.stopTimer(goja.FunctionCall{Arguments: []goja.Value{c.timer}})
	}
	c.timer = timer
}
