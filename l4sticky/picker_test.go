package l4sticky

import (
	"context"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/connect"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/keepalive"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// mustListen returns the address of a target that accepts, and which is closed at the end of the test.
func mustListen(t *testing.T) string {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	return ln.Addr().String()
}

// newBalancer returns a handler with two targets, and the one where the visitor is at home before the other.
func newBalancer(t testing.TB, a, b string) (h *Handler, home, other *target.Member) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, a, b)
	t.Cleanup(v.quit)
	h = &Handler{DialTimeout: caddy.Duration(5 * time.Second)}
	if err := h.setDefaults(); err != nil {
		t.Fatal(err)
	}
	h.dialer = newDialer(v, 5*time.Second, keepalive.Default, zap.NewNop())
	home = v.targets.Place(visitor, all)
	other = v.targets.Place(visitor, func(m *target.Member) bool { return m != home })
	return h, home, other
}

// connectVisitor brings the visitor to a target and returns it.
func connectVisitor(t *testing.T, h *Handler) (net.Conn, *target.Member) {
	t.Helper()
	a := h.newPicker(&net.TCPAddr{IP: visitor.AsSlice(), Port: 1}, nil)
	a.local = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} // a target may have a port that another test has served
	conn, made := connect.Find(a, &h.times.Options, a.dialFunc())
	if made == nil {
		return nil, nil
	}
	t.Cleanup(func() {
		_ = conn.Close()
		made.Done(flow.Result{})
	})
	return conn, made.(*established).upstream
}

// moveWhileDialling moves the session at each dial to a target, as another connection of the client does whose dial
// fails and which reaches the next target.
func moveWhileDialling(h *Handler, s *clientSession, from, to *target.Member) {
	d := h.dialer
	d.net.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		if address == from.Address.Dial {
			moveTo(d.poolConfig, s, to)
			d.sessions.Reach(s, to.Target)
		}
		return nil
	}
}

// TestDialFollowsSession moves the client's session while a connection dials.
func TestDialFollowsSession(t *testing.T) {
	h, home, other := newBalancer(t, mustListen(t), mustListen(t))
	s, _ := h.dialer.acquire(visitor, 0)
	defer h.dialer.sessions.Release(s)
	moveWhileDialling(h, s, home, other)
	conn, m := connectVisitor(t, h)
	if m == nil {
		t.Fatal("no target")
	}
	if m != other || conn.RemoteAddr().String() != other.Address.Dial {
		t.Errorf("the connection is at %v, want it with the session at %v", conn.RemoteAddr(), other.Address)
	}
	if home.Connections() != 0 || other.Connections() != 1 {
		t.Errorf("%d and %d connections are counted, want 0 and 1", home.Connections(), other.Connections())
	}
	if !home.Active() {
		t.Error("a target that accepted is deactivated")
	}
}

// TestDialKeepsWhatAccepted moves the session to a target that is dead.
func TestDialKeepsWhatAccepted(t *testing.T) {
	dead, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	dead.Close()
	h, home, other := newBalancer(t, mustListen(t), dead.Addr().String())
	if home.Address.Dial == dead.Addr().String() {
		home, other = other, home
	}
	s, _ := h.dialer.acquire(visitor, 0)
	defer h.dialer.sessions.Release(s)
	moveTo(h.dialer.poolConfig, s, home)
	moveWhileDialling(h, s, home, other)
	_, m := connectVisitor(t, h)
	if got, _ := h.dialer.sessions.Look(s); got != home.Target {
		t.Errorf("the session stays with %v", got.Address)
	}
	if m != home || home.Connections() != 1 || other.Connections() != 0 {
		t.Errorf("the connection is at %v, with %d and %d counted", m, home.Connections(), other.Connections())
	}
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
			h, home, other := newBalancer(t, mustListen(t), mustListen(t))
			d := h.dialer
			core, logs := observer.New(zap.WarnLevel)
			d.logger = zap.New(core)
			s, _ := d.acquire(visitor, 0)
			defer d.sessions.Release(s)
			dialled := make(map[string]bool)
			d.net.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
				if dialled[address] = true; address == home.Address.Dial {
					return test.err
				}
				return nil
			}
			_, m := connectVisitor(t, h)
			if (m != nil) != test.moves || dialled[other.Address.Dial] != test.moves {
				t.Errorf("dialled %v, reached %v; want another target to be tried: %v", dialled, m, test.moves)
			}
			if got, _ := d.sessions.Look(s); got != home.Target {
				t.Error("the session has left its target, which is active")
			}
			if !home.Active() || !other.Active() || home.Connections() != 0 || (other.Connections() == 1) != test.moves {
				t.Error("a target is deactivated or counts a connection that it has not")
			}
			told := logs.All()
			if test.moves {
				if len(told) != 2 || !strings.Contains(told[1].Message, "two upstreams") || fmt.Sprint(told[1].ContextMap()["client"]) != visitor.String() {
					t.Fatalf("the log tells %v, want it to say that the client is split", told)
				}
				told = told[:1]
			}
			if len(told) != 1 || !strings.Contains(fmt.Sprint(told[0].ContextMap()), test.err.Error()) || !strings.Contains(fmt.Sprint(told[0].ContextMap()), home.Address.Dial) {
				t.Errorf("the log tells %v, want the error of %v", told, home.Address)
			}
		})
	}
}

// TestDialOutlivesSearch dials for a client who has left, as when the goroutine that does so gets its turn late.
func TestDialOutlivesSearch(t *testing.T) {
	h, home, _ := newBalancer(t, mustListen(t), mustListen(t))
	a := h.newPicker(&net.TCPAddr{IP: visitor.AsSlice(), Port: 1}, nil)
	a.local = &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80} // a target may have a port that another test has served
	dial := a.dialFunc()
	a.Lost(search.ErrClientLeft)
	conn, err := dial(t.Context(), search.Dial{Target: home})
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
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
	h, home, _ := newBalancer(t, mustListen(t), mustListen(t))
	home.Deactivate(time.Hour)
	if !home.BeginProbe(nil) {
		t.Fatal("somebody probes the target")
	}
	h.dialer.probe(home)
	if !home.Active() {
		t.Error("a target that accepted the probe is not active")
	}
}

// TestProbeForWantOfDescriptors verifies a suspect that cannot be dialled: nothing is known of it then, and it must not
// be avoided for ever.
func TestProbeForWantOfDescriptors(t *testing.T) {
	h, home, _ := newBalancer(t, mustListen(t), mustListen(t))
	h.dialer.net.ControlContext = func(context.Context, string, string, syscall.RawConn) error { return syscall.EMFILE }
	home.Late(visitor, time.Minute)
	if !home.Late(visitor.Next(), time.Minute) || !home.BeginProbe(nil) {
		t.Fatal("the target is not suspect, or somebody probes it")
	}
	h.dialer.probe(home)
	if home.Suspect() || !home.Active() {
		t.Errorf("suspect %v, active %v; want a target like any other", home.Suspect(), home.Active())
	}
}

// A connection that has probed a target meets the others of its client, which have found one meanwhile.
func TestProbeMeetsTheOthers(t *testing.T) {
	h, home, other := newBalancer(t, mustListen(t), mustListen(t))
	home.Deactivate(time.Minute)
	other.Deactivate(time.Minute)
	from := &net.TCPAddr{IP: visitor.AsSlice(), Port: 1}
	prober, follower := h.newPicker(from, nil), h.newPicker(from, nil)
	probe, step := prober.Next(nil)
	if step != search.DialTarget || !probe.Probe || probe.Target != search.Target(home) {
		t.Fatalf("got %+v and %v, want a probe of the first target", probe, step)
	}
	other.Activate()
	found, step := follower.Next(nil)
	if step != search.DialTarget || found.Probe || !follower.Wants(found) {
		t.Fatalf("got %+v and %v, want the target that is active", found, step)
	}
	defer follower.Connected(found).Done(flow.Result{})

	if prober.Wants(probe) {
		t.Error("the client has connections to two targets")
	}
	if !home.Active() {
		t.Error("a target that accepts is not active")
	}
	again, step := prober.Next(nil)
	if step != search.DialTarget || again.Target != search.Target(other) || !prober.Wants(again) {
		t.Errorf("got %+v and %v, want the others' target", again, step)
	}
	prober.Dropped(probe)
	defer prober.Connected(again).Done(flow.Result{})
	if !home.BeginProbe(nil) {
		t.Error("the probe has not ended")
	}
}
