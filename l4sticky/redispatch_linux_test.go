package l4sticky

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// serving runs a target that does something with each connection and closes it then. Accepted counts the connections.
func serving(t *testing.T, serve func(conn *net.TCPConn)) (address string, accepted *atomic.Int64) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	accepted = new(atomic.Int64)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			go func() {
				defer conn.Close()
				serve(conn.(*net.TCPConn))
			}()
		}
	}()
	return ln.Addr().String(), accepted
}

func greets(conn *net.TCPConn) {
	_, _ = io.WriteString(conn, "hello")
	_, _ = io.Copy(conn, conn)
}

func quits(conn *net.TCPConn) { time.Sleep(5 * time.Millisecond) }

func breaks(conn *net.TCPConn) {
	quits(conn)
	_ = conn.SetLinger(0)
}

// mustBeGreeted fails unless a client that says nothing is served.
func mustBeGreeted(t *testing.T, client net.Conn) {
	t.Helper()
	got := make([]byte, 5)
	if _, err := io.ReadFull(client, got); err != nil || string(got) != "hello" {
		t.Fatalf("the client read %q, %v", got, err)
	}
}

// mustBeAt fails unless the session of a client is at a target.
func mustBeAt(t *testing.T, v *poolConfig, client netip.Addr, want *target.Member) {
	t.Helper()
	s, _ := v.acquire(client, 0)
	defer v.sessions.Release(s)
	if got, _ := v.sessions.Look(s); got != want.Target {
		t.Errorf("the session of %v is at %v, want %v", client, got.Address, want.Address)
	}
}

// TestRedispatch has a target end the connections of its clients, which are served by another one. Their sessions stay with
// the first, until it is deactivated for it.
func TestRedispatch(t *testing.T) {
	for way, wrap := range ways {
		for name, quit := range map[string]func(*net.TCPConn){"closes": quits, "resets": breaks} {
			t.Run(name+" "+way, func(t *testing.T) {
				first, _ := serving(t, quit)
				second, _ := serving(t, greets)
				v := joinAs(t, newConfig(t), t.Name(), time.Minute, first, second)
				defer v.quit()
				h := newHandler(t, v)
				core, logs := observer.New(zap.WarnLevel)
				h.dialer.logger = zap.New(core)
				home, other := memberAt(v, first), memberAt(v, second)
				guests := clientsOf(v, home, 3)
				for i, from := range guests {
					client, _ := arrive(t, h, from, wrap)
					mustBeGreeted(t, client)
					if home.Connections() != 0 || other.Connections() != i+1 {
						t.Errorf("%d and %d connections are counted, want 0 and %d", home.Connections(), other.Connections(), i+1)
					}
					defer client.Close()
				}
				mustBeAt(t, v, guests[0], home)
				mustBeAt(t, v, guests[2], other)
				if home.Active() {
					t.Error("a target that serves nobody is active")
				}
				told := logs.FilterMessageSnippet("before it was used").All()
				if len(told) != 3 || fmt.Sprint(told[0].ContextMap()["upstream"]) != first || fmt.Sprint(told[0].ContextMap()["other"]) != second {
					t.Errorf("the log tells %v", logs.All())
				}
			})
		}
	}
}

func memberAt(v *poolConfig, address string) *target.Member {
	for _, m := range v.targets.Members() {
		if m.Address.Dial == address {
			return m
		}
	}
	return nil
}

// clientsOf returns addresses of clients that are placed on a target.
func clientsOf(v *poolConfig, m *target.Member, n int) (clients []netip.Addr) {
	for b := byte(2); len(clients) < n; b++ {
		if client := netip.AddrFrom4([4]byte{127, 0, 0, b}); v.targets.Place(client, all) == m {
			clients = append(clients, client)
		}
	}
	return clients
}

// TestRedispatchOnce tries each target once, also one that was dialled before any accepted, and then ends the client.
func TestRedispatchOnce(t *testing.T) {
	for way, wrap := range ways {
		t.Run(way, func(t *testing.T) {
			var addresses []string
			var counts []*atomic.Int64
			for range 3 {
				address, accepted := serving(t, quits)
				addresses, counts = append(addresses, address), append(counts, accepted)
			}
			refused, stop := echo(t)
			stop()
			v := joinAs(t, newConfig(t), t.Name(), time.Minute, append(addresses, refused)...)
			defer v.quit()
			client, _ := arrive(t, newHandler(t, v), homedAt(v, refused), wrap)
			if rest, err := io.ReadAll(client); len(rest) > 0 || err != nil {
				t.Errorf("the client read %q, %v", rest, err)
			}
			_ = client.Close()
			mustBeEmpty(t, v)
			for i, n := range counts {
				if n.Load() != 1 {
					t.Errorf("target %d has got %d connections, want 1", i, n.Load())
				}
			}
		})
	}
}

// TestRedispatchOff leaves a client alone whose targets may be silent.
func TestRedispatchOff(t *testing.T) {
	for way, wrap := range ways {
		t.Run(way, func(t *testing.T) {
			first, _ := serving(t, quits)
			second, accepted := serving(t, greets)
			v := joinAs(t, newConfig(t), t.Name(), time.Minute, first, second)
			defer v.quit()
			h := newHandler(t, v)
			h.UnservedLimit = -1
			if err := h.setDefaults(); err != nil {
				t.Fatal(err)
			}
			client, _ := arrive(t, h, homedAt(v, first), wrap)
			if rest, err := io.ReadAll(client); len(rest) > 0 || err != nil || accepted.Load() > 0 {
				t.Errorf("the client read %q, %v; another target has got %d connections", rest, err, accepted.Load())
			}
		})
	}
}

// TestRedispatchHeader sends the PROXY header to each target, and counts it for none.
func TestRedispatchHeader(t *testing.T) {
	for way, wrap := range ways {
		t.Run(way, func(t *testing.T) {
			headers := make(chan string, 2)
			first, _ := serving(t, func(conn *net.TCPConn) { headers <- line(conn) })
			second, _ := serving(t, func(conn *net.TCPConn) {
				headers <- line(conn)
				greets(conn)
			})
			v := joinAs(t, newConfig(t), t.Name(), time.Minute, first, second)
			defer v.quit()
			h := newHandler(t, v)
			h.ppVersion = 1
			core, logs := observer.New(zap.DebugLevel)
			h.dialer.logger = zap.New(core)
			client, _ := arrive(t, h, homedAt(v, first), wrap)
			mustBeGreeted(t, client)
			mustEcho(t, client)
			_ = client.Close()
			mustBeEmpty(t, v)
			if a, b := <-headers, <-headers; a != b || !strings.HasPrefix(a, "PROXY TCP4 "+client.LocalAddr().(*net.TCPAddr).IP.String()+" ") {
				t.Errorf("the targets have got %q and %q", a, b)
			}
			ended := logs.FilterMessage("connection ended").All()
			if len(ended) != 1 || ended[0].ContextMap()["bytes_up"] != int64(5) || ended[0].ContextMap()["bytes_down"] != int64(10) {
				t.Errorf("the log tells %v", ended)
			}
		})
	}
}

// line reads up to a newline.
func line(conn net.Conn) string {
	var all []byte
	for char := make([]byte, 1); ; all = append(all, char[0]) {
		if _, err := io.ReadFull(conn, char); err != nil || char[0] == '\n' {
			return string(all)
		}
	}
}

// TestRedispatchBalances has targets end connections at random while clients come and go. In the end nothing is held.
func TestRedispatchBalances(t *testing.T) {
	for way, wrap := range ways {
		t.Run(way, func(t *testing.T) {
			moody := func(conn *net.TCPConn) {
				[]func(*net.TCPConn){greets, breaks, func(*net.TCPConn) {}, func(conn *net.TCPConn) { _ = conn.SetLinger(0) }}[rand.IntN(4)](conn)
			}
			var addresses []string
			for range 3 {
				address, _ := serving(t, moody)
				addresses = append(addresses, address)
			}
			refused, stop := echo(t)
			stop()
			v := joinAs(t, newConfig(t), t.Name(), time.Millisecond, append(addresses, refused)...)
			defer v.quit()
			h := newHandler(t, v)
			var all sync.WaitGroup
			for i := range 300 {
				client, _ := arrive(t, h, netip.AddrFrom4([4]byte{127, 0, 0, byte(2 + i%20)}), wrap)
				all.Go(func() {
					time.Sleep(rand.N(8 * time.Millisecond))
					switch i % 4 {
					case 0:
						_ = client.SetLinger(0)
					case 1:
						_, _ = io.WriteString(client, "x")
						fallthrough
					case 2:
						_, _ = io.ReadFull(client, make([]byte, 5))
					}
					_ = client.Close()
				})
			}
			all.Wait()
			mustBeEmpty(t, v)
		})
	}
}
