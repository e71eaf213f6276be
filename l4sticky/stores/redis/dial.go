package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

const (
	// dialPause is the mean time between two attempts to connect to a server, after so many at once. A client whose server ends each
	// connection, or does not accept its password, would else try with each call.
	dialPause   = 100 * time.Millisecond
	dialsAtOnce = 64

	// maxServers is how many addresses are remembered. A cluster may have other ones each day.
	maxServers = 1024
)

// A dialer opens the connections of a client.
type dialer struct {
	ctx context.Context // ends all connections

	mu      sync.Mutex // guards all below
	servers map[string]*rate.Limiter
}

var errDialling = errors.New("too many attempts to connect")

func newDialer(ctx context.Context) *dialer {
	return &dialer{ctx: ctx, servers: make(map[string]*rate.Limiter)}
}

// allow reports whether a connection to the server may be tried now.
func (d *dialer) allow(address string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.servers[address] == nil {
		if len(d.servers) == maxServers {
			clear(d.servers)
		}
		d.servers[address] = rate.NewLimiter(rate.Every(dialPause), dialsAtOnce)
	}
	return d.servers[address].Allow()
}

func (d *dialer) dial(ctx context.Context, address string, by *net.Dialer, config *tls.Config) (net.Conn, error) {
	if !d.allow(address) {
		return nil, errDialling
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(d.ctx, safely.Func("redis.close", cancel))()
	var conn net.Conn
	var err error
	if config == nil {
		conn, err = by.DialContext(ctx, "tcp", address)
	} else if conn, err = (&tls.Dialer{NetDialer: by, Config: config}).DialContext(ctx, "tcp", address); err != nil {
		err = fmt.Errorf("by TLS: %w", err)
	}
	if err != nil {
		return nil, err
	}
	return newGuarded(d.ctx, conn), nil
}
