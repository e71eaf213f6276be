package embedded

import (
	"errors"
	"net/netip"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

// chain is a client's way through the middlewares, of which decide/js/balancer.js knows where it has got. It is a
// handle: the engine knows a client for as long as the script may speak of it.
type chain struct {
	decision *decide.Decision
	number   int
	kept     bool // it waits or is listened to, and so the engine has a reference to
	handle   quickjs.Value
	promises []quickjs.Value // what asynchronous middlewares have returned
	admitted bool
	stop     func() // takes back that the script is told of the connection's end
}

// What decide/js/balancer.js makes of a client, if it does not give a reason to keep it out.
const (
	letIn     = iota
	waits     // for a middleware
	follows   // was let in, and the script listens to its socket
	isSettled // by a call of the script
)

// decide asks the middlewares about a client.
func (e *engine) decide(c *chain) {
	c.handle = e.vm.NewHandle(c.number)
	e.clients[c.number] = c
	e.text = decide.AppendAddress(e.text[:0], c.decision.Client.Remote.Addr())
	address := e.vm.NewString(e.text)
	v, err := e.vm.Call2(e.entry.decide, c.handle, address)
	e.vm.Free(address)
	defer e.vm.Free(c.handle)
	if err != nil {
		e.thrown(err)
		return
	}
	if quickjs.IsString(v) {
		reason, _ := e.vm.Text(v)
		e.vm.Free(v)
		e.script.Settle(c.decision, errors.New(reason))
		return
	}
	switch quickjs.Int(v) {
	case letIn:
		e.letIn(c, false)
	case follows:
		e.letIn(c, true)
	case waits:
		e.keep(c)
	}
}

func (e *engine) letIn(c *chain, listened bool) {
	c.admitted = e.script.Settle(c.decision, nil)
	if c.admitted && listened {
		e.follow(c)
	}
}

func nodeAddress(a netip.Addr) string { return string(decide.AppendAddress(nil, a)) }

// keep holds a client whose script is to be told of its end.
func (e *engine) keep(c *chain) {
	if !c.kept {
		c.kept = true
		e.vm.Dup(c.handle)
		e.byDecision[c.decision] = c
	}
}

// forget undoes keep.
func (e *engine) forget(c *chain) {
	for _, promise := range c.promises {
		delete(e.promises, quickjs.Identity(promise))
		e.vm.Free(promise)
	}
	c.promises = nil
	if c.kept {
		c.kept = false
		delete(e.byDecision, c.decision)
		e.vm.Free(c.handle)
	}
}

// Dropped is called when the script cannot speak of a client any more.
func (e *engine) Dropped(number int) { delete(e.clients, number) }

// closeSocket tells the script that a client's connection is over, and forgets it.
func (e *engine) closeSocket(c *chain) {
	if c.stop != nil {
		c.stop()
		c.stop = nil
	}
	e.keep(c)
	e.call(e.entry.closed, c.handle)
	e.forget(c)
}

// follow has the script told when a client that was let in leaves.
func (e *engine) follow(c *chain) {
	if onEnd := c.decision.Client.OnEnd; onEnd != nil && c.stop == nil {
		e.keep(c)
		c.stop = onEnd(func() { e.post(nil, func() { e.closeSocket(c) }) })
	}
}

// waitingFor returns the client whose asynchronous middleware waits for a promise, be it by way of other promises and
// asynchronous functions, or nil.
func (e *engine) waitingFor(promise quickjs.Value) *chain {
	if len(e.promises) == 0 {
		return nil
	}
	const far = 100
	for range far {
		if c := e.promises[quickjs.Identity(promise)]; c != nil {
			return c
		}
		next, ok := quickjs.Waiting(promise)
		if !ok {
			return nil
		}
		promise = next
	}
	return nil
}

// settle answers for a client, and reports whether it waited. A socket that is listened to is told of its end.
func (e *engine) settle(c *chain, answer error, listened bool) bool {
	if answer == nil {
		e.letIn(c, listened)
	} else if !e.script.Settle(c.decision, answer) {
		return false
	} else if listened {
		e.keep(c)
		e.post(nil, func() { e.closeSocket(c) })
		return true
	}
	if c.stop == nil {
		e.forget(c)
	}
	return true
}

// clientFunctions are what decide/js/balancer.js calls about clients, given by their chains.
func (e *engine) clientFunctions() map[string]quickjs.Function {
	of := func(f func(c *chain, a []any) any) quickjs.Function {
		return func(a []any) (any, error) {
			if c := e.clients[quickjs.Number(a[0])]; c != nil {
				return f(c, a), nil
			}
			return nil, nil
		}
	}
	return map[string]quickjs.Function{
		"settle": of(func(c *chain, a []any) any {
			if reason, ok := a[1].(string); ok {
				return e.settle(c, errors.New(reason), a[2] == true)
			}
			return e.settle(c, nil, a[2] == true)
		}),
		"prototype": does(func(a []any) {
			e.vm.SetHandlePrototype(a[0].(quickjs.Value))
		}),
		// ends are what a socket is asked for seldom.
		"ends": func(a []any) (any, error) {
			c := e.clients[quickjs.Number(a[0])]
			if c == nil {
				return map[string]any{}, nil
			}
			remote, local := c.decision.Client.Remote, c.decision.Client.Local
			return map[string]any{"remotePort": remote.Port(), "localAddress": nodeAddress(local.Addr()), "localPort": local.Port()}, nil
		},
		// work has what runs next be for a client, if that waits. It returns for whom it was before, for rest.
		"work": of(func(c *chain, _ []any) any {
			if !e.script.Pending(c.decision) {
				return false
			}
			before := e.owner.Load()
			e.owner.Store(c)
			if before == nil {
				return nil
			}
			return before.handle
		}),
		"rest": does(func(a []any) {
			e.owner.Store(e.clients[quickjs.Number(a[0])])
		}),
		// belongs says that a promise is that of a client's middleware.
		"belongs": of(func(c *chain, a []any) any {
			promise := e.vm.Dup(a[1].(quickjs.Value))
			c.promises = append(c.promises, promise)
			e.promises[quickjs.Identity(promise)] = c
			return nil
		}),
		// listens says that a socket is listened to from now on, of which the end may have passed already.
		"listens": of(func(c *chain, _ []any) any {
			switch {
			case c.admitted:
				e.follow(c)
			case !e.script.Pending(c.decision):
				e.keep(c)
				e.post(nil, func() { e.closeSocket(c) })
			}
			return nil
		}),
		// kick ends the connection of a client that was let in, and reports whether it can.
		"kick": of(func(c *chain, _ []any) any {
			if c.decision.Client.Kick == nil {
				return false
			}
			c.decision.Client.Kick()
			e.keep(c)
			e.post(nil, func() { e.closeSocket(c) })
			return true
		}),
	}
}
