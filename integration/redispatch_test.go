package integration

import (
	"crypto/tls"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// quitters end connections before they have begun, at once or soon.
var quitters = map[string]func(*net.TCPConn){
	"closes":              func(*net.TCPConn) {},
	"closes soon":         func(*net.TCPConn) { time.Sleep(20 * time.Millisecond) },
	"resets":              reset,
	"resets soon":         func(conn *net.TCPConn) { time.Sleep(20 * time.Millisecond); reset(conn) },
	"ends its direction":  func(conn *net.TCPConn) { _ = conn.CloseWrite(); _, _ = io.Copy(io.Discard, conn) },
	"reads the header":    func(conn *net.TCPConn) { _, _ = readLine(conn) },
	"resets after header": func(conn *net.TCPConn) { _, _ = readLine(conn); reset(conn) },
}

// A target that ends connections before anything was said is left for another one, of which clients notice nothing.
func TestRedispatch(t *testing.T) {
	t.Parallel()
	ways := map[string]struct{ network, before, options string }{
		"a plain address":                 {},
		"seamless":                        {network: "seamless/"},
		"with a header":                   {network: "seamless/", options: "proxy_protocol v1\n"},
		"by goroutines":                   {before: "proxy_protocol\n"},
		"between two headers":             {before: "proxy_protocol\n", options: "proxy_protocol v1\n"},
		"placed at random":                {options: "placement random\n"},
		"closed when down":                {options: "when_down close\n"},
		"by goroutines, closed when down": {before: "proxy_protocol\n", options: "when_down close\n"},
	}
	for way, w := range ways {
		for name, quit := range quitters {
			if strings.Contains(name, "header") && !strings.Contains(w.options, "proxy_protocol") {
				continue
			}
			t.Run(way+", "+name, func(t *testing.T) {
				t.Parallel()
				headed := func(serve func(*net.TCPConn)) func(*net.TCPConn) {
					return func(conn *net.TCPConn) {
						if strings.Contains(w.options, "proxy_protocol") {
							if header, err := readLine(conn); err != nil || !strings.HasPrefix(header, "PROXY TCP4 127.0.") {
								t.Errorf("the target was told %q, %v", header, err)
							}
						}
						serve(conn)
					}
				}
				greeting, answering := freeAddr(t), freeAddr(t)
				greeter, answerer := startTarget(t, "good", headed(greet("good"))), startTarget(t, "good", headed(answer("good")))
				bad, worse := startTarget(t, "bad", quit), startTarget(t, "worse", quit)
				options := w.options + "deactivation_duration 1ms\n"
				startCaddy(t, caddyfile(
					server{w.network + greeting, w.before + sticky("pool greeting\n"+options+backups(greeter), bad, worse)},
					server{w.network + answering, w.before + sticky("pool answering\n"+options+backups(answerer), bad, worse)},
				))
				come := func(ip, listen string) *net.TCPConn {
					conn := dialFrom(t, ip, listen)
					if w.before != "" {
						_, _ = io.WriteString(conn, "PROXY TCP4 "+ip+" 127.0.0.1 1 2\r\n")
					}
					return conn
				}
				for i, ip := range clientIPs(10) {
					if conn := come(ip, greeting); mustReadLine(t, conn) != "good" {
						t.Error("another target has greeted")
					}
					// A client that waits until it is at the good target is served there as if nothing had happened.
					conn := come(ip, answering)
					await(t, "the client is at the good target", func() bool { return answerer.accepted.Load() == int64(i+1) })
					if _, err := io.WriteString(conn, "hello\n"); err != nil || mustReadLine(t, conn) != "good" {
						t.Errorf("another target has answered, or %v", err)
					}
				}
			})
		}
	}
}

// The same holds for clients whose TLS ends here.
func TestRedispatchTLS(t *testing.T) {
	t.Parallel()
	for name, quit := range quitters {
		if strings.Contains(name, "header") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			plain, secure := freeAddr(t), freeAddr(t)
			bad, good := startTarget(t, "bad", quit), startTarget(t, "good", greet("good"))
			config, client := tlsConfig(t, "", plain, secure, []*target{bad, good})
			startCaddy(t, config)
			for _, ip := range clientIPs(12) {
				conn := tls.Client(dialFrom(t, ip, secure), client)
				if mustReadLine(t, conn) != "good" {
					t.Error("another target has greeted")
				}
				if _, err := io.WriteString(conn, "hello\n"); err != nil || mustReadLine(t, conn) != "hello" {
					t.Errorf("there is no echo: %v", err)
				}
				conn.Close()
			}
			if bad.accepted.Load() == 0 {
				t.Error("no client came to the target that ends connections")
			}
		})
	}
}

// What a client has said is said once: it is closed with its target, as is one whose target has been silent for long, and each
// where targets may be silent.
func TestNoRedispatch(t *testing.T) {
	t.Parallel()
	for name, scene := range map[string]struct {
		options string
		serve   func(*net.TCPConn)
		says    string
	}{
		"it has spoken":          {"", func(conn *net.TCPConn) { _, _ = readLine(conn) }, "hello\n"},
		"its target has waited":  {"dial_timeout 50ms", func(*net.TCPConn) { time.Sleep(200 * time.Millisecond) }, ""},
		"targets may be silent":  {"unserved_limit off", func(*net.TCPConn) {}, ""},
		"they may, and it spoke": {"unserved_limit off", func(conn *net.TCPConn) { _, _ = readLine(conn) }, "hello\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bad, good := startTarget(t, "bad", scene.serve), startTarget(t, "good", greet("good"))
			listen := freeAddr(t)
			startCaddy(t, balance(listen, scene.options+"\n"+backups(good), bad))
			conn := dialFrom(t, "127.0.0.2", listen)
			_, _ = io.WriteString(conn, scene.says)
			mustEnd(t, conn)
			if good.accepted.Load() > 0 || bad.accepted.Load() != 1 {
				t.Errorf("%d connections came to the other target, and %d to the first one", good.accepted.Load(), bad.accepted.Load())
			}
		})
	}
}

// A client stays with its target for its next connection. When no target is left, its connection ends as the last one has
// ended it, and none has got it twice.
func TestRedispatchKeepsSession(t *testing.T) {
	t.Parallel()
	var quits atomic.Bool
	moody := func(name string) *target {
		return startTarget(t, name, func(conn *net.TCPConn) {
			if !quits.Load() {
				greet(name)(conn)
			}
		})
	}
	first, second, listen := moody("first"), startTarget(t, "second", greet("second")), freeAddr(t)
	p := startCaddy(t, balance(listen, backups(second), first))
	for range 2 {
		for _, name := range []string{"first", "second"} {
			quits.Store(name == "second")
			if got := who(t, "127.0.0.2", listen); got != name {
				t.Errorf("%q greeted, want %q", got, name)
			}
		}
	}
	if log := p.Log(); !strings.Contains(log, "before it was used") || strings.Contains(log, "deactivated") {
		t.Errorf("the log tells:\n%s", log)
	}
	none, a, b := freeAddr(t), moody("a"), moody("b")
	p.reload(t, balance(none, "", a, b))
	mustEnd(t, dialFrom(t, "127.0.0.2", none))
	if a.accepted.Load() != 1 || b.accepted.Load() != 1 {
		t.Errorf("the targets have got %d and %d connections, want one each", a.accepted.Load(), b.accepted.Load())
	}
}

// Silent clients, which every target ends after a while, count against the first of their targets only.
func TestSilentClients(t *testing.T) {
	t.Parallel()
	impatient := func(name string) *target {
		return startTarget(t, name, func(conn *net.TCPConn) {
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Millisecond))
			if _, err := readLine(conn); err == nil {
				_, _ = io.WriteString(conn, name+"\n")
			}
		})
	}
	targets := []*target{impatient("a"), impatient("b")}
	listen := freeAddr(t)
	p := startCaddy(t, balance(listen, "", targets...))
	home := func(ip string) string {
		var e struct{ Placement string }
		p.mustAsk(t, "GET", "pools/default/explain?client="+ip, "", &e)
		return e.Placement
	}
	silent := make(map[string]int) // two for each target
	for _, ip := range clientIPs(50) {
		if at := home(ip); silent[at] < 2 {
			silent[at]++
			conn := dialFrom(t, ip, listen)
			mustEnd(t, conn)
			conn.Close()
		}
	}
	await(t, "the connections have ended", func() bool { return p.pool(t).Connections == 0 })
	for _, one := range targets {
		if got := p.upstream(t, one); got.State != "active" || got.Dials != 4 {
			t.Errorf("after four silent clients a target is %+v", got)
		}
	}
}
