package middleware

import (
	"bufio"
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// rudeService is a service that breaks the rules of HTTP in one way, on each connection for as long as that lasts.
type rudeService struct {
	net.Listener
	open atomic.Int64
}

func startRude(t *testing.T, answer func(net.Conn)) *rudeService {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	s := &rudeService{Listener: listener}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			s.open.Add(1)
			go func() {
				defer s.open.Add(-1)
				defer conn.Close()
				answer(conn)
			}()
		}
	}()
	return s
}

// after answers as soon as the question is there, and then waits until the other side hangs up.
func after(text string) func(net.Conn) { return forever(text, "", time.Hour) }

// forever answers with a head and then the same again and again, until the other side hangs up.
func forever(head, again string, pause time.Duration) func(net.Conn) {
	return func(conn net.Conn) {
		reader := bufio.NewReader(conn)
		request, err := http.ReadRequest(reader)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, request.Body)
		left := make(chan struct{})
		go func() {
			_, _ = io.Copy(io.Discard, reader)
			close(left)
		}()
		for text := head; ; text = again {
			_, _ = io.WriteString(conn, text)
			select {
			case <-left:
				return
			case <-time.After(pause):
			}
		}
	}
}

// Whatever a service does with its connection, its status decides and the time limit holds, and nothing is kept of it.
func TestRudeServices(t *testing.T) {
	const (
		timeout = 500 * time.Millisecond
		chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	)
	for name, c := range map[string]struct {
		answer func(net.Conn)
		want   string // why the client is kept out; nothing lets it in
	}{
		"switching protocols":        {after("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), "the status is 101"},
		"switching and talking":      {forever("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n", "x", time.Millisecond), "the status is 101"},
		"switching to nothing":       {after("HTTP/1.1 101 Switching Protocols\r\n\r\n"), "the status is 101"},
		"allowed, dripping":          {forever(chunked, "1\r\nx\r\n", time.Millisecond), ""},
		"allowed, flooding":          {forever(chunked, "1\r\nx\r\n", 0), ""},
		"allowed, silent":            {after("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"), ""},
		"allowed, broken":            {after("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno chunk\r\n"), ""},
		"denied, silent":             {after("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\n"), "403 Forbidden"},
		"denied, with half a reason": {after("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\nbanned"), "403 Forbidden: banned"},
		"denied, dripping":           {forever("HTTP/1.1 403 Forbidden\r\n\r\nbanned\n", "x", time.Millisecond), "403 Forbidden: banned"},
		"other status, silent":       {after("HTTP/1.1 500 Oops\r\nContent-Length: 10\r\n\r\n"), "the status is 500"},
		"nothing but early hints":    {forever("", "HTTP/1.1 103 Early Hints\r\n\r\n", 0), "asking the service"},
		"nothing but continue":       {forever("", "HTTP/1.1 100 Continue\r\n\r\n", time.Millisecond), "asking the service"},
		"a header that never ends":   {forever("HTTP/1.1 200 OK\r\n", "X: y\r\n", 0), "asking the service"},
		"a header line without end":  {forever("HTTP/1.1 200 OK\r\nX: ", "yyyyyyyy", 0), "asking the service"},
		"a header that drips":        {forever("HTTP/1.1 200 OK\r\nX: ", "y", time.Millisecond), "asking the service"},
		"no answer at all":           {after(""), "asking the service"},
		"a large header":             {after("HTTP/1.1 200 OK\r\nX: " + strings.Repeat("y", 1<<20) + "\r\n\r\n"), "asking the service"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startRude(t, c.answer)
			a := provision(t, &Authorize{URL: "http://" + s.Addr().String(), Timeout: caddy.Duration(timeout)})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			for _, client := range []*Client{testClient("203.0.113.7"), testClient("203.0.113.8")} {
				err := a.Decide(ctx, client)
				if (err == nil) != (c.want == "") || (err != nil && !strings.Contains(err.Error(), c.want)) || ctx.Err() != nil {
					t.Errorf("got %v, want %q", err, c.want)
				}
			}
			eventually(t, func() bool { return s.open.Load() == 0 })
		})
	}
}

// A service whose TLS handshake never ends holds none of the connections for as long as it likes.
func TestHandshakeThatNeverEnds(t *testing.T) {
	s := startRude(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	a := provision(t, &Authorize{URL: "https://" + s.Addr().String(), Timeout: caddy.Duration(100 * time.Millisecond)})
	if err := a.Decide(t.Context(), testClient("203.0.113.7")); err == nil {
		t.Error("a client came in")
	}
	eventually(t, func() bool { return s.open.Load() == 0 })
}

// A connection of HTTP/2 whose other end has vanished is given up.
func TestVanishedService(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	var swallow atomic.Bool
	relay := startRude(t, func(conn net.Conn) {
		service, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer service.Close()
		gone := swallow.Load
		if gone() {
			gone = func() bool { return false } // a new connection reaches the service again
		}
		go copyUntil(gone, conn, service)
		copyUntil(gone, service, conn)
	})
	const timeout = 200 * time.Millisecond
	a := provision(t, &Authorize{URL: "https://" + relay.Addr().String(), Timeout: caddy.Duration(timeout), CacheTTL: 1})
	a.authority.transport.TLSClientConfig = &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}
	if err := a.Decide(t.Context(), testClient("203.0.113.7")); err != nil {
		t.Fatal(err)
	}
	swallow.Store(true)
	if err := a.Decide(t.Context(), testClient("203.0.113.7")); err == nil {
		t.Error("a client came in without an answer")
	}
	eventually(t, func() bool { return a.Decide(t.Context(), testClient("203.0.113.7")) == nil })
}

// copyUntil copies, and from some moment on only reads.
func copyUntil(gone func() bool, to io.Writer, from io.Reader) {
	for buffer := make([]byte, 4096); ; {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		if !gone() {
			_, _ = to.Write(buffer[:n])
		}
	}
}

// A panic while a service is asked keeps its clients out and ends nothing else.
func TestPanicWhileAsking(t *testing.T) {
	s := startService(t, "tcp", "127.0.0.1:0", func(http.ResponseWriter, *http.Request) {})
	a := provision(t, &Authorize{URL: s.URL, OnError: onErrorAllow})
	a.authority.now = func() time.Time { panic("injected") }
	m := &Matcher{chain: []link{{a, "authorize"}}}
	v := m.ask(t.Context(), testClient("203.0.113.7"), new(atomic.Int64))
	if v.allowed || v.reason != "panic: injected" || !strings.Contains(v.stack, "recall") && !strings.Contains(v.stack, "TestPanicWhileAsking") {
		t.Errorf("the verdict is %+v", v)
	}
	a.authority.now = time.Now
	if v := m.ask(t.Context(), testClient("203.0.113.7"), new(atomic.Int64)); !v.allowed {
		t.Errorf("afterwards the verdict is %+v", v)
	}
}
