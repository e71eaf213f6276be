package l4sticky

import (
	"context"
	"net"
	"syscall"
	"testing"
	"time"

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

// newDialer returns a dialer of two targets, and the one where the visitor is at home before the other.
func newDialer(t *testing.T, a, b string) (d *dialer, home, other *target.Member) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, a, b)
	t.Cleanup(v.quit)
	d = &dialer{variant: v, timeout: 5 * time.Second, logger: zap.NewNop()}
	home = v.targets.Place(visitor, all)
	other = v.targets.Place(visitor, func(m *target.Member) bool { return m != home })
	return d, home, other
}

// moveWhileDialling moves the session at each dial to a target, as another connection of the client does whose dial
// fails.
func moveWhileDialling(d *dialer, s *clientSession, from, to *target.Member) {
	d.net.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		if address == from.Address.Dial {
			d.move(s, to)
		}
		return nil
	}
}

// TestDialFollowsSession moves the client's session while a connection dials.
func TestDialFollowsSession(t *testing.T) {
	d, home, other := newDialer(t, listen(t), listen(t))
	s := d.acquire(visitor)
	defer d.sessions.Release(s)
	moveWhileDialling(d, s, home, other)
	conn, m, err := d.connect(s, visitor)
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
	d, home, other := newDialer(t, listen(t), dead.Addr().String())
	if home.Address.Dial == dead.Addr().String() {
		home, other = other, home
	}
	s := d.acquire(visitor)
	defer d.sessions.Release(s)
	d.move(s, home)
	moveWhileDialling(d, s, home, other)
	conn, m, err := d.connect(s, visitor)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := d.sessions.Target(s); got != home.Target {
		t.Errorf("the session stays with %v", got.Address)
	}
	if m != home || home.Connections() != 1 || other.Connections() != 0 {
		t.Errorf("the connection is at %v, with %d and %d counted", m.Address, home.Connections(), other.Connections())
	}
	m.Release()
}

// TestBlamelessFailure fails dials as a machine does that has run out of something, and as a target that accepts
// only to reset.
func TestBlamelessFailure(t *testing.T) {
	for _, test := range []struct {
		err   syscall.Errno
		moves bool
	}{
		{syscall.EMFILE, false},
		{syscall.ENOBUFS, false},
		{syscall.EADDRNOTAVAIL, true},
		{syscall.ECONNRESET, true},
	} {
		t.Run(test.err.Error(), func(t *testing.T) {
			d, home, other := newDialer(t, listen(t), listen(t))
			s := d.acquire(visitor)
			defer d.sessions.Release(s)
			dialled := make(map[string]bool)
			d.net.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
				if dialled[address] = true; address == home.Address.Dial {
					return test.err
				}
				return nil
			}
			conn, m, err := d.connect(s, visitor)
			if (err == nil) != test.moves || dialled[other.Address.Dial] != test.moves {
				t.Errorf("dialled %v, error %v; want another target to be tried: %v", dialled, err, test.moves)
			}
			if err == nil {
				_ = conn.Close()
				m.Release()
			}
			if got := d.sessions.Target(s); got != home.Target {
				t.Error("the session has left its target, which is active")
			}
			if !home.Active() || !other.Active() || home.Connections() != 0 || other.Connections() != 0 {
				t.Error("a target is deactivated or counts a connection")
			}
		})
	}
}

// TestLookupForWantOfDescriptors is what the resolver makes of it when there is no descriptor to ask with.
func TestLookupForWantOfDescriptors(t *testing.T) {
	lookup := &net.DNSError{Err: "dial udp 192.0.2.53:53: socket: too many open files", Name: "target.example", IsTemporary: true}
	if err := (&net.OpError{Op: "dial", Net: "tcp", Err: lookup}); !isExhausted(err) || !isBlameless(err) {
		t.Errorf("%v is held against the target", err)
	}
	if err := (&net.DNSError{Err: "no such host", IsNotFound: true}); isExhausted(err) || isBlameless(err) {
		t.Errorf("%v is not held against the target", err)
	}
}

// TestProbeFindsTargetAlive verifies a target that is inactive but accepts.
func TestProbeFindsTargetAlive(t *testing.T) {
	d, home, _ := newDialer(t, listen(t), listen(t))
	home.Deactivate(time.Hour)
	if home.BeginProbe() != nil {
		t.Fatal("somebody probes the target")
	}
	d.probe(home)
	if !home.Active() {
		t.Error("a target that accepted the probe is not active")
	}
}
