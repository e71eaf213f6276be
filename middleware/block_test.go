package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware"
)

// heard is a middleware that keeps a client out when its bytes have arrived.
func heard(conn *net.TCPConn, say string) script {
	return func(context.Context, *middleware.Client) error {
		if _, err := io.WriteString(conn, say); err != nil {
			return err
		}
		time.Sleep(10 * time.Millisecond) // on loopback they arrive at once, which cannot be seen from here
		return errors.New("out")
	}
}

// A blocked client gets an orderly end, though Linux resets when unread bytes are thrown away; or a reset if that is
// what the option says.
func TestEndOfBlocked(t *testing.T) {
	for name, c := range map[string]struct {
		options, say string
		want         error
	}{
		"close":               {"", "", nil},
		"close after a byte":  {"", "x", nil},
		"close after many":    {"", string(make([]byte, 100_000)), nil},
		"reset":               {`, "reset": true`, "", syscall.ECONNRESET},
		"reset after a byte":  {`, "reset": true`, "x", syscall.ECONNRESET},
		"not reset by option": {`, "reset": false`, "x", nil},
	} {
		t.Run(name, func(t *testing.T) {
			conns := make(chan *net.TCPConn, 1)
			set("heard", func(ctx context.Context, client *middleware.Client) error {
				return heard(<-conns, c.say)(ctx, client)
			})
			address := serve(t, route(matcher(c.options, "heard"), "never"))
			conn := dial(t, address)
			conns <- conn
			if answer, err := io.ReadAll(conn); len(answer) > 0 || !errors.Is(err, c.want) {
				t.Errorf("got %q and %v, want %v", answer, err, c.want)
			}
		})
	}
}

// The end is orderly, too, for clients whose bytes arrive at any moment around it.
func TestEndOfTalkers(t *testing.T) {
	set("deny", deny("out"))
	address := serve(t, route(matcher("", "deny"), "never"))
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			for i := range 100 {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					t.Error(err)
					return
				}
				_ = conn.SetDeadline(time.Now().Add(patience))
				time.Sleep(time.Duration(i) * time.Microsecond)
				_, _ = conn.Write([]byte("x"))
				if answer, err := io.ReadAll(conn); len(answer) > 0 || err != nil {
					t.Errorf("got %q and %v", answer, err)
				}
				conn.Close()
			}
		})
	}
	wait.Wait()
}

// A client that one chain blocks and another lets in is served to the end, even with the option reset.
func TestBlockedThenServed(t *testing.T) {
	set("deny", deny("out"))
	set("allow", allow)
	address := serve(t,
		route(matcher(`, "reset": true`, "deny"), "never"),
		route(matcher(`, "reset": true`, "allow"), "hello"))
	for range 100 {
		must(t, address, "some bytes that nobody reads", "hello")
	}
}

// Blocks are counted by middleware, over reloads.
func TestBlockedMetric(t *testing.T) {
	set("deny", deny("out"))
	set("allow", allow)
	address, fd := listen(t)
	run(t, fd, route(matcher("", "deny"), "never"))
	t.Cleanup(stop(t))
	before := counted(t)
	must(t, address, "", "")
	run(t, fd, route(matcher("", "deny"), "never"), route(not(matcher("", "deny")), "again"), route(matcher("", "allow"), "never"))
	must(t, address, "", "again")
	run(t, fd, route(matcher("", "allow"), "hello"))
	must(t, address, "", "hello")
	if got := counted(t) - before; got != 2 {
		t.Errorf("counted %v blocks, want 2", got)
	}
}

// counted returns the number of blocks that the registry of the running config has.
func counted(t *testing.T) float64 {
	t.Helper()
	families, err := newestRegistry.Load().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "caddy_sticky_middleware_blocked_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if label := metric.GetLabel()[0]; label.GetName() == "middleware" && label.GetValue() == "scripted" {
				return metric.GetCounter().GetValue()
			}
		}
	}
	return 0
}

// What a decision costs, all of it and beyond what layer4 does anyway.
func BenchmarkConnection(b *testing.B) {
	set("allow", allow)
	for name, match := range map[string]string{"without": "", "allowed": matcher("", "allow")} {
		b.Run(name, func(b *testing.B) {
			address := serve(b, route(match, "hello"))
			for b.Loop() {
				conn, err := net.Dial("tcp", address)
				if err != nil {
					b.Fatal(err)
				}
				if answer, err := io.ReadAll(conn); err != nil || len(answer) != 5 {
					b.Fatal(fmt.Sprint(answer, err))
				}
				conn.Close()
			}
		})
	}
}
