package l4sticky

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"github.com/mholt/caddy-l4/modules/l4proxy"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/keepalive"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// echo runs a target that echoes. Stop makes it refuse, and leaves its connections alone.
func echo(t *testing.T) (address string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	stop = func() { _ = ln.Close() }
	t.Cleanup(stop)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				_, _ = io.Copy(conn, conn)
			}()
		}
	}()
	return ln.Addr().String(), stop
}

// wrapped is a connection that no loop can carry.
type wrapped struct{ net.Conn }

// arrive has a handler serve a client as layer4 does, and returns the client's end. Done is closed when Handle returns.
func arrive(t *testing.T, h *Handler, from netip.Addr, wrap func(net.Conn) net.Conn) (client *net.TCPConn, done chan struct{}) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from.AsSlice()}}
	conn, err := dialer.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	down, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	done = make(chan struct{})
	go func() {
		defer close(done)
		defer down.Close()
		if err := h.Handle(layer4.WrapConnection(wrap(down), nil, zap.NewNop()), nil); err != nil {
			t.Errorf("Handle: %v", err)
		}
	}()
	return conn.(*net.TCPConn), done
}

// mustEcho fails unless a client is served.
func mustEcho(t *testing.T, client net.Conn) {
	t.Helper()
	got := make([]byte, 5)
	if _, err := io.WriteString(client, "hello"); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "hello" {
		t.Fatalf("echoed %q, %v", got, err)
	}
}

// mustBeEmpty waits until the pool holds nothing for connections any more.
func mustBeEmpty(t *testing.T, v *poolConfig) {
	t.Helper()
	var held string
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if held = holds(v); held == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the pool still has %s", held)
		}
	}
}

func holds(v *poolConfig) string {
	if v.open.Load() != 0 {
		return "connections"
	}
	for _, m := range v.targets.Members() {
		if m.Connections() != 0 {
			return "a claim on a target"
		}
		if !m.BeginProbe(nil) {
			return "a probe"
		}
		m.EndProbe()
	}
	v.sessions.Clear() // all that are idle
	if v.sessions.Len() != 0 {
		return "a session in use"
	}
	return ""
}

// newHandler returns a handler of the pool.
func newHandler(t *testing.T, v *poolConfig) *Handler {
	t.Helper()
	h := &Handler{DialTimeout: caddy.Duration(5 * time.Second)}
	if err := h.setDefaults(); err != nil {
		t.Fatal(err)
	}
	h.plain = true
	h.dialer = newDialer(v, 5*time.Second, keepalive.Options{}, zap.NewNop())
	return h
}

// homedAt returns the address of a client that is placed on the target.
func homedAt(v *poolConfig, address string) netip.Addr {
	for n := byte(2); ; n++ {
		client := netip.AddrFrom4([4]byte{127, 0, 0, n})
		if v.targets.Place(client, all).Address.Dial == address {
			return client
		}
	}
}

// ways are those in which a connection is carried.
var ways = map[string]func(net.Conn) net.Conn{
	"loop":       func(conn net.Conn) net.Conn { return conn },
	"goroutines": func(conn net.Conn) net.Conn { return wrapped{conn} },
}

// TestPanicInConnection has a connection panic at each place of its way. It ends, all that it held is given back, and
// another one beside it goes on.
func TestPanicInConnection(t *testing.T) {
	for place, scene := range map[string]struct {
		hole    bool // the client's target swallows SYNs
		refuse  int  // how many targets refuse, the client's first
		limited bool // it is one connection too many
		ends    bool // it is served before
		idle    bool // it is silent for too long
		alone   bool // no loop carries it
		leaves  bool // the client's target ends it before it is used
	}{
		"sticky_proxy":            {},
		"sticky_proxy acquire":    {},
		"sticky_proxy limit":      {limited: true},
		"sticky_proxy next":       {},
		"sticky_proxy agreed":     {},
		"sticky_proxy connected":  {},
		"sticky_proxy failed":     {refuse: 1},
		"sticky_proxy late":       {hole: true},
		"sticky_proxy lost":       {refuse: 2},
		"sticky_proxy end":        {ends: true},
		"sticky_proxy redispatch": {leaves: true},
		"relay to the client":     {alone: true},
		"relay to the target":     {alone: true},
		"idle timeout":            {idle: true, alone: true},
	} {
		for way, wrap := range ways {
			if scene.alone && way == "loop" {
				continue
			}
			t.Run(place+" "+way, func(t *testing.T) {
				home, stop := echo(t)
				other, stopOther := echo(t)
				if scene.hole {
					home = openHole(t)
				}
				if scene.leaves {
					home, _ = serving(t, quits)
				}
				v := joinAs(t, newConfig(t), t.Name(), time.Minute, home, other)
				defer v.quit()
				h := newHandler(t, v)
				innocent, _ := arrive(t, newHandler(t, v), homedAt(v, other), wrap)
				mustEcho(t, innocent)
				for _, stop := range []func(){stop, stopOther}[:scene.refuse] {
					stop()
				}
				if scene.limited {
					h.MaxConnections = 1
				}

				if scene.idle {
					h.times.Idle = 10 * time.Millisecond
				}

				panicked := safelytest.InjectOnce(t, place)
				client, done := arrive(t, h, homedAt(v, home), wrap)
				if scene.ends {
					mustEcho(t, client)
					_ = client.CloseWrite()
				}
				if rest, err := io.ReadAll(client); len(rest) > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("%q, %v came instead of the end", rest, err)
				}
				<-done
				safelytest.AwaitPanic(t, panicked)
				mustEcho(t, innocent)
				_ = innocent.Close()
				mustBeEmpty(t, v)
				if scene.refuse == 2 || scene.leaves {
					return
				}
				again, _ := arrive(t, newHandler(t, v), homedAt(v, home), wrap)
				mustEcho(t, again)
				_ = again.Close()
				mustBeEmpty(t, v)
			})
		}
	}
}

// TestPanicInDial goes on with another target, and holds nothing against the one that could not be dialled.
func TestPanicInDial(t *testing.T) {
	for place, wrap := range map[string]func(net.Conn) net.Conn{"dial": ways["goroutines"], "lookup": ways["loop"]} {
		t.Run(place, func(t *testing.T) {
			home, _ := echo(t)
			other, _ := echo(t)
			home = strings.Replace(home, "127.0.0.1", "localhost", 1)
			v := joinAs(t, newConfig(t), t.Name(), time.Minute, home, other)
			defer v.quit()
			panicked := safelytest.InjectOnce(t, place)
			client, _ := arrive(t, newHandler(t, v), homedAt(v, home), wrap)
			mustEcho(t, client)
			safelytest.AwaitPanic(t, panicked)
			for _, m := range v.targets.Members() {
				if !m.Active() || m.Connections() != 0 && m.Address.Dial == home {
					t.Errorf("%v is active: %v, with %d connections", m.Address, m.Active(), m.Connections())
				}
			}
			_ = client.Close()
			mustBeEmpty(t, v)
		})
	}
}

// TestPanicInSettle gives back the claim on a target that is taken for want of a better one.
func TestPanicInSettle(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
	defer v.quit()
	a := newHandler(t, v).newPicker(&net.TCPAddr{IP: visitor.AsSlice()}, nil)
	d, _ := a.Next(nil)
	panicked := safelytest.InjectOnce(t, "sticky_proxy settle")
	safely.Do("test", func() { a.TakeSpare(d) })
	safelytest.AwaitPanic(t, panicked)
	a.Lost(nil)
	mustBeEmpty(t, v)
}

// TestPanicInProbe ends a probe, and lets somebody else have the next one.
func TestPanicInProbe(t *testing.T) {
	address, _ := echo(t)
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, address)
	defer v.quit()
	h, m := newHandler(t, v), v.targets.Members()[0]
	m.Deactivate(time.Hour)
	panicked := safelytest.InjectOnce(t, "probe")
	h.dialer.verify(m)
	safelytest.AwaitPanic(t, panicked)
	mustBeEmpty(t, v)
	h.dialer.verify(m)
	for deadline := time.Now().Add(20 * time.Second); !m.Active(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the target is not probed again")
		}
	}
}

// TestPanicInPolicy leaves the connection without an upstream, and the next one has its own.
func TestPanicInPolicy(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
	defer v.quit()
	p := &SelectionPolicy{dialer: newHandler(t, v).dialer, places: map[target.Address]int{v.targets.Members()[0].Config.Address: 0}}
	upstreams := l4proxy.UpstreamPool{{Dial: []string{"a:1"}}}
	cx := func() *layer4.Connection { return layer4.WrapConnection(&net.TCPConn{}, nil, zap.NewNop()) }
	panicked := safelytest.InjectOnce(t, "sticky_ip")
	if u := p.Select(upstreams, cx()); u != nil {
		t.Errorf("selected %v", u)
	}
	safelytest.AwaitPanic(t, panicked)
	mustBeEmpty(t, v)
	if u := p.Select(upstreams, cx()); u != upstreams[0] {
		t.Errorf("selected %v, want the only upstream", u)
	}
}

// TestPanicBehindSession ends the sessions of a connection whose handler panics, whoever's that is.
func TestPanicBehindSession(t *testing.T) {
	for name, conn := range map[string]net.Conn{"stream": &net.TCPConn{}, "datagrams": datagrams{}} {
		t.Run(name, func(t *testing.T) {
			v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
			defer v.quit()
			s := new(SessionHandler)
			panicked := safelytest.InjectOnce(t, "handler")
			err := s.Handle(layer4.WrapConnection(conn, nil, zap.NewNop()), layer4.HandlerFunc(func(cx *layer4.Connection) error {
				session, _ := v.acquire(visitor, 0)
				v.settle(session, visitor, all)
				if !sessionRefsOf(cx).add(v, session) {
					t.Error("the session is not held")
				}
				safely.Reach("handler")
				return nil
			}))
			if err != nil || len(s.datagrams) > 0 {
				t.Errorf("%v, and %d datagram connections are left", err, len(s.datagrams))
			}
			safelytest.AwaitPanic(t, panicked)
			mustBeEmpty(t, v)
		})
	}
}

// TestPanicAtExit ends the connections of other pools all the same.
func TestPanicAtExit(t *testing.T) {
	address, _ := echo(t)
	var clients []net.Conn
	for _, name := range []string{"a", "b"} {
		v := joinAs(t, newConfig(t), t.Name()+name, time.Minute, address)
		defer v.quit()
		client, _ := arrive(t, newHandler(t, v), homedAt(v, address), ways["loop"])
		mustEcho(t, client)
		clients = append(clients, client)
	}
	panicked := safelytest.InjectOnce(t, "exit")
	endAll()
	safelytest.AwaitPanic(t, panicked)
	ended := make(chan struct{}, len(clients))
	for _, client := range clients {
		go func() {
			_, _ = io.ReadAll(client)
			ended <- struct{}{}
		}()
	}
	<-ended // of the other pool
	for _, client := range clients {
		_ = client.Close()
	}
}

// TestPanicsAreCountedAndLogged has the registry of a config count what panics from now on, and the log limited.
func TestPanicsAreCountedAndLogged(t *testing.T) {
	ctx := newConfig(t)
	v := joinAs(t, ctx, t.Name(), time.Minute, "a:1")
	defer v.quit()
	before := safely.Panics()
	core, logs := observer.New(zapcore.ErrorLevel)
	t.Cleanup(safely.SetReporter(newPanicLog(func() *zap.Logger { return zap.New(core) })))
	for range 3 * loglimit.Lines {
		safely.Do("here", func() { panic("injected") })
	}
	want := fmt.Sprintf("# HELP caddy_sticky_panics_total Panics, each of which has ended one connection at most and is logged with its stack.\n"+
		"# TYPE caddy_sticky_panics_total counter\ncaddy_sticky_panics_total %d\n", before+3*loglimit.Lines)
	if err := testutil.GatherAndCompare(ctx.GetMetricsRegistry(), strings.NewReader(want), "caddy_sticky_panics_total"); err != nil {
		t.Error(err)
	}
	if n := logs.Len(); n != loglimit.Lines {
		t.Errorf("%d lines, want %d", n, loglimit.Lines)
	}
	fields := logs.All()[0].ContextMap()
	if fields["place"] != "here" || fields["error"] != "injected" || !strings.Contains(fmt.Sprint(fields["stack"]), "TestPanicsAreCountedAndLogged") {
		t.Errorf("logged %v", fields)
	}
}
