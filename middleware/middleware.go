package middleware

import (
	"context"
	"net"
	"net/netip"
	"sync"

	"github.com/mholt/caddy-l4/layer4"

	"github.com/caddy-sticky/caddy-sticky/hijack"
	"github.com/caddy-sticky/caddy-sticky/internal/clientip"
)

// Middleware is what the modules in the namespace `layer4.middleware` implement.
type Middleware interface {
	// Decide returns nil to let a client in. Anything else keeps it out, and the error is the reason,
	// which lands in the log as it is.
	//
	// It is called once for each connection, beside the goroutine that awaits the answer, when no middleware before
	// it in the chain has kept the client out. It has neither the connection nor its bytes: none is read before
	// the decision. Decisions about different clients go on side by side.
	//
	// The context ends when the client leaves, or when the matcher's `timeout` is over. The answer
	// makes no difference then, and Decide should return. A client is known to have left when it resets the connection
	// or ends it without ever having sent a byte; one that has sent something and ended its direction
	// may still wait for an answer.
	//
	// A panic keeps that client out and harms no other. Goroutines that Decide starts are its own to
	// recover. A reload cleans the module up while its last decisions may be pending, and these count.
	Decide(ctx context.Context, client *Client) error
}

// A Punctual middleware always returns as soon as the context of Decide ends. A chain of such middlewares is asked without
// a goroutine of its own for each connection.
type Punctual interface {
	Middleware
	// Punctual does nothing.
	Punctual()
}

// Client is the peer of a connection that is to be decided about. It may be used by several goroutines.
type Client struct {
	remote, local net.Addr

	mu sync.Mutex
	// vars are the connection's, until the decision is made: they have no lock of their own.
	vars variables
}

// variables are those of a layer4 connection.
type variables interface {
	GetVar(name string) any
	SetVar(name string, value any)
}

// NewClient returns a client with variables of its own, for the tests of a middleware.
func NewClient(remote, local net.Addr) *Client {
	return &Client{remote: remote, local: local, vars: make(ownVariables)}
}

// RemoteAddr returns the client's address. It is the one in the PROXY protocol's header if layer4's handler
// `proxy_protocol` came first.
func (c *Client) RemoteAddr() net.Addr { return c.remote }

// LocalAddr returns the address that the client has connected to.
func (c *Client) LocalAddr() net.Addr { return c.local }

// IP returns the client's IP address. An IPv4-mapped IPv6 address is the IPv4 one. It is not valid for a client
// without one, on a Unix socket.
func (c *Client) IP() netip.Addr { return clientip.Of(c.remote) }

// GetVar returns the value of a variable of the connection, or nil. Layer4's handlers and matchers, and
// the middlewares before this one in the chain have set them.
func (c *Client) GetVar(name string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.vars == nil {
		return nil
	}
	return c.vars.GetVar(name)
}

// SetVar sets a variable of the connection, which later middlewares, matchers and handlers see, the latter also
// as the placeholder {l4.vars.name}. After the decision it does nothing.
func (c *Client) SetVar(name string, value any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.vars != nil {
		c.vars.SetVar(name, value)
	}
}

// Watch returns what tells when the client's connection is over, be it long after it was let in, and ends it. It is nil
// after the decision, and for a client that has no connection.
func (c *Client) Watch() *hijack.Watcher {
	c.mu.Lock()
	defer c.mu.Unlock()
	cx, ok := c.vars.(*layer4.Connection)
	if !ok {
		return nil
	}
	return hijack.Watch(cx)
}

// decided takes the connection's variables away from middlewares that go on after the decision.
func (c *Client) decided() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.vars = nil
}

type ownVariables map[string]any

func (v ownVariables) GetVar(name string) any        { return v[name] }
func (v ownVariables) SetVar(name string, value any) { v[name] = value }
