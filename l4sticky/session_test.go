package l4sticky

import (
	"net"
	"testing"
	"time"

	"github.com/mholt/caddy-l4/layer4"
	"go.uber.org/zap"
)

// datagrams is what layer4 makes of a client that sends datagrams, in short.
type datagrams struct {
	net.PacketConn
	net.Conn
}

func (datagrams) LocalAddr() net.Addr              { return &net.UDPAddr{} }
func (datagrams) RemoteAddr() net.Addr             { return &net.UDPAddr{IP: net.IPv4(192, 0, 2, 1)} }
func (datagrams) Close() error                     { return nil }
func (datagrams) SetDeadline(time.Time) error      { return nil }
func (datagrams) SetReadDeadline(time.Time) error  { return nil }
func (datagrams) SetWriteDeadline(time.Time) error { return nil }

// held runs a sticky_session before a handler that uses a session of the pool and blocks until the test ends.
func held(t *testing.T, s *SessionHandler, v *poolConfig, conn net.Conn) {
	cx := layer4.WrapConnection(conn, nil, zap.NewNop())
	using, end, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Handle(cx, layer4.HandlerFunc(func(cx *layer4.Connection) error {
			for range 3 { // as when a policy is asked again; only the first is kept
				session, _ := v.acquire(visitor, 0)
				v.settle(session, visitor, all)
				if !sessionRefsOf(cx).add(v, session) {
					v.sessions.Release(session)
				}
			}
			close(using)
			<-end
			return nil
		}))
	}()
	t.Cleanup(func() { <-done })
	t.Cleanup(func() { close(end) })
	<-using
}

// TestCleanupEndsDatagramSessions stops a config whose handler of a datagram connection never returns.
func TestCleanupEndsDatagramSessions(t *testing.T) {
	for name, test := range map[string]struct {
		conn net.Conn
		kept bool
	}{
		"datagrams": {datagrams{}, false},
		"stream":    {&net.TCPConn{}, true},
	} {
		t.Run(name, func(t *testing.T) {
			v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
			s := new(SessionHandler)
			t.Cleanup(func() {
				if known(t.Name()) {
					t.Error("the pool is kept after the connection ended")
				}
			})
			held(t, s, v, test.conn)
			v.quit()
			if !known(t.Name()) {
				t.Fatal("the pool is gone while a connection is open")
			}
			if err := s.Cleanup(); err != nil {
				t.Fatal(err)
			}
			if known(t.Name()) != test.kept {
				t.Errorf("the pool is kept: %v, want %v", known(t.Name()), test.kept)
			}
		})
	}
}

// TestDatagramsAfterCleanup are handled by a config that has been stopped meanwhile.
func TestDatagramsAfterCleanup(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
	s := new(SessionHandler)
	if err := s.Cleanup(); err != nil {
		t.Fatal(err)
	}
	held(t, s, v, datagrams{})
	v.quit()
	if known(t.Name()) {
		t.Error("the pool is kept")
	}
}
