package script

import (
	"net/netip"

	"github.com/dop251/goja"
)

// localEnd is the last local address that a socket was made for, as the prototype of sockets that came in by it:
// most clients come in by the same, and what a socket does not have of its own costs nothing.
type localEnd struct {
	address netip.AddrPort
	proto   *goja.Object
}

// newSocket makes the object that middlewares get: a net.Socket as they know it.
func (e *engine) newSocket(c Client) *goja.Object {
	if e.local.proto == nil || e.local.address != c.Local {
		e.local = localEnd{address: c.Local, proto: e.vm.CreateObject(e.socketProto)}
		_ = e.local.proto.Set("localAddress", nodeAddress(c.Local.Addr()))
		_ = e.local.proto.Set("localPort", int64(c.Local.Port()))
	}
	socket := e.vm.CreateObject(e.local.proto)
	_ = socket.Set("remoteAddress", nodeAddress(c.Remote.Addr()))
	_ = socket.Set("remotePort", int64(c.Remote.Port()))
	return socket
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
func (e *engine) closeSocket(d *decision) {
	c := d.chain.Load()
	if c == nil || c.engine != e {
		return
	}
	delete(e.guests, c)
	if !hasListeners(c.socket) {
		_ = c.socket.Set("destroyed", true)
		return
	}
	if close, ok := goja.AssertFunction(c.socket.Get("_closed")); ok {
		e.call(close, c.socket)
	}
}

// hangUp is what destroy and end of a socket call with it and what they were called: it blocks the client, and
// throws if that was let in already.
func (e *engine) hangUp(call goja.FunctionCall) goja.Value {
	socket, method := call.Argument(0), call.Argument(1).String()
	for _, d := range e.script.waiting() {
		if c := d.chain.Load(); c != nil && c.engine == e && c.socket == socket {
			e.block(d, e.vm.ToValue("the script called socket."+method+"()"))
			return goja.Undefined()
		}
	}
	if open := socket.ToObject(e.vm).Get("destroyed"); open != nil && !open.ToBoolean() {
		return e.vm.ToValue(false)
	}
	return goja.Undefined()
}
