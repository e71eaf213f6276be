package names

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// Whoever would forge an answer must guess the port of the socket that waits for it, so each is used for a short time only.
const (
	socketUses = 32
	socketLife = 5 * time.Second
)

// sockets keeps those of questions that were answered for the next questions to the same server: to make a socket takes
// longer than the rest of a question. Its zero value has none.
type sockets struct {
	mu     sync.Mutex
	idle   map[string][]*socket // by the server
	expiry *time.Timer          // ends the generation, nil while there is none
	// generation is that of the sockets that are made now. Those of an older one are closed after their question.
	generation int
}

// A socket is connected to a server. It has one user at a time, to whom Close is the end of a question.
type socket struct {
	*net.UDPConn
	pool       *sockets
	server     string
	generation int
	uses       int
	failed     bool // so that a late answer may be on its way
}

// dial connects to a server for one question.
func (p *sockets) dial(ctx context.Context, network, server string) (net.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if network == "udp" {
		if s := p.take(server); s != nil {
			return s, nil
		}
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, server)
	packets, ok := conn.(*net.UDPConn)
	if err != nil || !ok {
		return conn, err
	}
	return &socket{UDPConn: packets, pool: p, server: server, generation: p.current()}, nil
}

// take returns a socket that waits for a question, or nil if there is none.
func (p *sockets) take(server string) *socket {
	p.mu.Lock()
	defer p.mu.Unlock()
	idle := p.idle[server]
	if len(idle) == 0 {
		return nil
	}
	last := len(idle) - 1
	p.idle[server] = idle[:last]
	return idle[last]
}

// current returns the generation, whose time begins with its first socket.
func (p *sockets) current() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.expiry == nil {
		p.expiry = time.AfterFunc(socketLife, safely.Func("names", p.expire))
	}
	return p.generation
}

// expire ends the generation.
func (p *sockets) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, idle := range p.idle {
		for _, s := range idle {
			_ = s.UDPConn.Close()
		}
	}
	p.idle, p.expiry = nil, nil
	p.generation++
}

// put keeps a socket for further questions, and reports false if it is to be closed.
func (p *sockets) put(s *socket) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s.uses++; s.failed || s.uses == socketUses || s.generation != p.generation {
		return false
	}
	if p.idle == nil {
		p.idle = make(map[string][]*socket)
	}
	p.idle[s.server] = append(p.idle[s.server], s)
	return true
}

// Read notes whether it fails.
func (s *socket) Read(b []byte) (int, error) {
	n, err := s.UDPConn.Read(b)
	s.failed = s.failed || err != nil
	return n, err
}

// Write notes whether it fails.
func (s *socket) Write(b []byte) (int, error) {
	n, err := s.UDPConn.Write(b)
	s.failed = s.failed || err != nil
	return n, err
}

// Close keeps the socket for the next question, unless one has failed.
func (s *socket) Close() error {
	if s.pool.put(s) {
		return nil
	}
	return s.UDPConn.Close()
}
