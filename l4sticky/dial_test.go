package l4sticky

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// listen returns the address of a target that accepts, and which is closed at the end of the test.
func listen(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

// newHandler returns a handler of two targets, and the one where the visitor is at home before the other.
func newHandler(t *testing.T, a, b string) (h *Handler, home, other *target.Member) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, a, b)
	t.Cleanup(v.quit)
	h = &Handler{DialTimeout: caddy.Duration(5 * time.Second), variant: v, logger: zap.NewNop()}
	home = v.targets.Place(visitor, all)
	other = v.targets.Place(visitor, func(m *target.Member) bool { return m != home })
	return h, home, other
}

// TestDialFollowsSession moves the client's session while a connection dials, as another connection of the client
// does whose dial fails.
func TestDialFollowsSession(t *testing.T) {
	h, home, other := newHandler(t, listen(t), listen(t))
	s := h.variant.acquire(visitor)
	defer h.variant.sessions.Release(s)
	h.dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		if address == home.Address.Dial {
			h.variant.move(s, other)
		}
		return nil
	}
	conn, m, err := h.connect(s, visitor)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if m != other || conn.RemoteAddr().String() != other.Address.Dial {
		t.Errorf("the connection is at %v, want it with the session at %v", conn.RemoteAddr(), other.Address)
	}
	if home.Connections() != 0 || other.Connections() != 1 {
		t.Errorf("%d and %d connections are counted, want 0 and 1", home.Connections(), other.Connections())
	}
	if !home.Active() {
		t.Error("a target that accepted is deactivated")
	}
	m.Release()
}

// TestDialKeepsWhatAccepted moves the session to a target that is dead.
func TestDialKeepsWhatAccepted(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	h, home, other := newHandler(t, listen(t), dead.Addr().String())
	if home.Address.Dial == dead.Addr().String() {
		home, other = other, home
	}
	s := h.variant.acquire(visitor)
	defer h.variant.sessions.Release(s)
	h.variant.move(s, home)
	h.dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		if address == home.Address.Dial {
			h.variant.move(s, other)
		}
		return nil
	}
	conn, m, err := h.connect(s, visitor)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if m != home || home.Connections() != 1 || other.Connections() != 0 {
		t.Errorf("the connection is at %v, with %d and %d counted", m.Address, home.Connections(), other.Connections())
	}
	m.Release()
}

// TestLocalFailureBlamesNobody fails dials as a machine does that has run out of something.
func TestLocalFailureBlamesNobody(t *testing.T) {
	for _, test := range []struct {
		err   syscall.Errno
		moves bool
	}{
		{syscall.EMFILE, false},
		{syscall.ENOBUFS, false},
		{syscall.EADDRNOTAVAIL, true},
	} {
		t.Run(test.err.Error(), func(t *testing.T) {
			h, home, other := newHandler(t, listen(t), listen(t))
			s := h.variant.acquire(visitor)
			defer h.variant.sessions.Release(s)
			dialled := make(map[string]bool)
			h.dialer.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
				if dialled[address] = true; address == home.Address.Dial {
					return test.err
				}
				return nil
			}
			conn, m, err := h.connect(s, visitor)
			if (err == nil) != test.moves || dialled[other.Address.Dial] != test.moves {
				t.Errorf("dialled %v, error %v; want another target to be tried: %v", dialled, err, test.moves)
			}
			if err == nil {
				_ = conn.Close()
				m.Release()
			}
			if !home.Active() || !other.Active() || home.Connections() != 0 || other.Connections() != 0 {
				t.Error("a target is deactivated or counts a connection")
			}
		})
	}
}
