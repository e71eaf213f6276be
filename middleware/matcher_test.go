package middleware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware"
)

func allow(context.Context, *middleware.Client) error { return nil }

func deny(reason string) script {
	return func(context.Context, *middleware.Client) error { return errors.New(reason) }
}

// The chain is asked in order, up to the first that keeps the client out, and lands in the log with it.
func TestChain(t *testing.T) {
	asked := make(chan string, 10)
	for _, name := range []string{"a", "b", "c"} {
		set(name, func(context.Context, *middleware.Client) error {
			asked <- name
			return nil
		})
	}
	address := serve(t, route(matcher("", "a", "b", "c"), "hello"))
	must(t, address, "", "hello")
	if order := <-asked + <-asked + <-asked; order != "abc" {
		t.Errorf("asked in the order %v", order)
	}

	set("b", deny("no b's"))
	set("c", func(context.Context, *middleware.Client) error {
		t.Error("asked after the block")
		return nil
	})
	must(t, address, "", "")
	block := blocks(t, 1)[0]
	if block["reason"] != "no b's" || block["middleware"] != "scripted" || !strings.HasPrefix(fmt.Sprint(block["client"]), "127.0.0.1:") {
		t.Errorf("logged %v", block)
	}
	if n := len(blocks(t, 1)); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// Layer4 asks several times: on each prefetch, for each route, and through `not`. The chain decides once.
func TestDecidesOnce(t *testing.T) {
	var asked atomic.Int64
	set("once", func(context.Context, *middleware.Client) error {
		asked.Add(1)
		return errors.New("out")
	})
	both := strings.TrimSuffix(matcher("", "once"), "}") + `, "tls": {}}`
	address := serve(t,
		route(matcher("", "once"), "first"),
		route(matcher(`, "reset": false`, "once"), "second"),
		route(both, "third"),
		route(`{"ssh": {}}`, "ssh"),
		route(`{"tls": {}}`, "tls"),
		route(not(`{"middleware": {"chain": [{"name": "once", "middleware": "scripted"}]}}`), "sorry"),
	)
	must(t, address, "GET / HTTP/1.0\r\n\r\n", "sorry")
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times", n)
	}
	if n := len(blocks(t, 1)); n != 1 {
		t.Errorf("logged %d times", n)
	}
}

// One client's decision is not another's, nor one chain's another chain's.
func TestDecidesForEach(t *testing.T) {
	var asked atomic.Int64
	set("first", func(context.Context, *middleware.Client) error {
		if asked.Add(1)%2 == 0 {
			return nil
		}
		return errors.New("odd")
	})
	set("other", allow)
	address := serve(t, route(matcher("", "first"), "first"), route(matcher("", "other"), "other"))
	for _, want := range []string{"other", "first", "other", "first"} {
		must(t, address, "", want)
	}
}

// What a middleware sees and sets.
func TestClient(t *testing.T) {
	set("sets", func(_ context.Context, client *middleware.Client) error {
		client.SetVar("who", fmt.Sprintf("%v at %v", client.IP(), client.LocalAddr()))
		return nil
	})
	remote := make(chan net.Addr, 1)
	set("gets", func(_ context.Context, client *middleware.Client) error {
		client.SetVar("who", fmt.Sprint(client.GetVar("who"), "!"))
		remote <- client.RemoteAddr()
		return nil
	})
	address := serve(t, route(matcher("", "sets", "gets"), "{l4.vars.who}"))
	conn := dial(t, address)
	answer, err := io.ReadAll(conn)
	if want := "127.0.0.1 at " + address + "!"; string(answer) != want || err != nil {
		t.Errorf("got %q (%v), want %q", answer, err, want)
	}
	if got := (<-remote).String(); got != conn.LocalAddr().String() {
		t.Errorf("the remote address is %v, want %v", got, conn.LocalAddr())
	}
}

// Behind a proxy, the client is the one that the PROXY header names; the proxy is another client.
func TestClientBehindProxy(t *testing.T) {
	set("seen", func(_ context.Context, client *middleware.Client) error {
		return fmt.Errorf("seen %v", client.RemoteAddr())
	})
	address := serve(t,
		route(matcher("", "seen"), "never"),
		`{"handle": [{"handler": "proxy_protocol", "allow": ["127.0.0.0/8"]}]}`,
		route(matcher("", "seen"), "never"),
	)
	must(t, address, "PROXY TCP4 203.0.113.7 192.0.2.1 56324 443\r\nhello", "")
	logged := blocks(t, 2)
	if reason := fmt.Sprint(logged[0]["reason"]); !strings.HasPrefix(reason, "seen 127.0.0.1:") {
		t.Errorf("the proxy was %q", reason)
	}
	if logged[1]["reason"] != "seen 203.0.113.7:56324" || logged[1]["client"] != "203.0.113.7:56324" {
		t.Errorf("the client was logged as %v", logged[1])
	}
}

// A blocked client is left to the routes that follow, with all that it has sent.
func TestRouteForBlocked(t *testing.T) {
	set("deny", deny("out"))
	for name, reset := range map[string]string{"close": "", "reset": `, "reset": true`} {
		t.Run(name, func(t *testing.T) {
			address := serve(t,
				route(matcher(reset, "deny"), "never"),
				`{"match": [`+not(matcher(reset, "deny"))+`], "handle": [{"handler": "greeter", "word": "you said ", "listen": true}]}`,
			)
			must(t, address, "hello and more", "you said hello")
		})
	}
}
