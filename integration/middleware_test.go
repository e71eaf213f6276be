package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
)

// guarded is the config of one server with a sticky_proxy behind a matcher with these lines.
func guarded(listen, middlewares string, targets ...*target) string {
	return "{\n\tlayer4 {\n\t\t" + listen + " {\n@allowed middleware {\n" + middlewares + "\n}\nroute @allowed {\n" +
		sticky("", targets...) + "\n}\n}\n}\n}\n"
}

// metric returns the value of a metric on the admin API.
func (p *balancerProcess) metric(t testing.TB, name string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (.*)$`).FindStringSubmatch(p.metricsText(t))
	if found == nil {
		return ""
	}
	return found[1]
}

// mustEnd fails unless the connection ends in an orderly way and without a byte.
func mustEnd(t testing.TB, conn *net.TCPConn) {
	t.Helper()
	if left, err := io.ReadAll(conn); len(left) > 0 || err != nil {
		t.Errorf("got %q and %v instead of the end", left, err)
	}
}

// Buckets are per client, and a reload keeps them.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	listen, target := freeAddr(t), greeters(t, 1)[0]
	config := guarded(listen, "rate_limit {\nconnections 3\nwindow 1h\n}", target)
	caddy := startCaddy(t, config)
	for range 3 {
		who(t, "127.0.0.2", listen)
	}
	mustEnd(t, dialFrom(t, "127.0.0.2", listen))
	who(t, "127.0.0.3", listen)
	caddy.reload(t, strings.Replace(config, "3\nwindow", "4\nwindow", 1))
	mustEnd(t, dialFrom(t, "127.0.0.2", listen))
	who(t, "127.0.0.4", listen)
	const name = `caddy_sticky_middleware_blocked_total{middleware="rate_limit"}`
	if got := caddy.metric(t, name); got != "2" {
		t.Errorf("%s is %q, want 2", name, got)
	}
	if want := `"middleware":"rate_limit","reason":"more than 3 connections in 1h0m0s"`; !strings.Contains(caddy.Log(), want) {
		t.Errorf("the log does not say %s", want)
	}
	if n := target.accepted.Load(); n != 5 {
		t.Errorf("the target got %d connections, want 5", n)
	}
}

// The clients that a chain blocks go to the route that is for them, and count once.
func TestRouteForBlocked(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 2)
	chain := "middleware {\nrate_limit {\nconnections 2\nwindow 1h\n}\n}\n"
	caddy := startCaddy(t, "{\n\tlayer4 {\n\t\t"+listen+" {\n@allowed "+chain+"@blocked not "+chain+
		"route @blocked {\nproxy "+targets[1].addr+"\n}\nroute @allowed {\n"+sticky("", targets[0])+"\n}\n}\n}\n}\n")
	for i := range 6 {
		want := targets[min(i/2, 1)].name
		if name := who(t, "127.0.0.2", listen); name != want {
			t.Errorf("connection %d is at %s, want %s", i, name, want)
		}
	}
	const name = `caddy_sticky_middleware_blocked_total{middleware="rate_limit"}`
	if got := caddy.metric(t, name); got != "4" {
		t.Errorf("%s is %q, want 4", name, got)
	}
}

// A service on a Unix socket decides, and its being away keeps everybody out.
func TestAuthorize(t *testing.T) {
	t.Parallel()
	listen, target := freeAddr(t), greeters(t, 1)[0]
	socket := filepath.Join(filepath.Dir(adminSocket(t)), "authorize")
	var questions atomic.Int64
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	service := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		questions.Add(1)
		body, _ := io.ReadAll(r.Body)
		if !strings.Contains(string(body), `"127.0.0.2"`) {
			http.Error(w, "not on the list", http.StatusForbidden)
		}
	}))
	service.Listener.Close()
	service.Listener = listener
	service.Start()
	t.Cleanup(service.Close)

	caddy := startCaddy(t, guarded(listen, "authorize http://service/check {\nsocket "+socket+"\ncache_ttl 1h\n}", target))
	for range 3 {
		who(t, "127.0.0.2", listen)
		mustEnd(t, dialFrom(t, "127.0.0.3", listen))
	}
	if n := questions.Load(); n != 2 {
		t.Errorf("%d questions, want one for each client", n)
	}
	if want := `"middleware":"authorize","reason":"403 Forbidden: not on the list"`; !strings.Contains(caddy.Log(), want) {
		t.Errorf("the log does not say %s", want)
	}
	service.Close()
	mustEnd(t, dialFrom(t, "127.0.0.4", listen))
	who(t, "127.0.0.2", listen)
	for answer, want := range map[string]string{"allow": "1", "deny": "1", "error": "1"} {
		if got := caddy.metric(t, fmt.Sprintf("caddy_sticky_authorize_answers_total{answer=%q}", answer)); got != want {
			t.Errorf("%s answers: %q, want %s", answer, got, want)
		}
	}
}

// Ten thousand blocked clients who had sent a byte, and who do not even close their ends, hold nothing. Not
// parallel, since it looks at what the process holds.
func TestBlockedHoldNothing(t *testing.T) {
	const clients = 10_000
	listen, target := freeAddr(t), greeters(t, 1)[0]
	caddy := startCaddy(t, guarded(listen, "rate_limit {\nconnections 1\nwindow 24h\nclient_prefix 8 64\n}", target))
	who(t, "127.0.0.2", listen)
	before := inventory(t, caddy)
	ips := clientIPs(500)
	each(clients, func(i int) {
		conn, err := tryDial(ips[i%len(ips)], listen)
		if err != nil {
			t.Error(err)
			return
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, "x"); err != nil && i == 0 {
			t.Error(err)
		}
		mustEnd(t, conn)
	})
	awaitInventory(t, caddy, before)
	const name = `caddy_sticky_middleware_blocked_total{middleware="rate_limit"}`
	if got := caddy.metric(t, name); got != fmt.Sprint(clients) {
		t.Errorf("%s is %q, want %d", name, got, clients)
	}
	if n := target.accepted.Load(); n != 1 {
		t.Errorf("the target got %d connections, want 1", n)
	}
	if lines := strings.Count(caddy.Log(), "blocked a client"); lines < 10 || lines > clients/10 {
		t.Errorf("%d lines in the log", lines)
	}
}
