package health

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"
)

// serve runs a target that serves each connection, and returns its address.
func serve(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() {
		ln.Close()
		<-done
	})
	return ln.Addr().String()
}

// look checks the target at an address.
func look(t *testing.T, c *Check, address string, timeout time.Duration) error {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return c.Run(t.Context(), conn, time.Now().Add(timeout))
}

// mustSay fails unless an error says what is wanted, or there is none if that is empty.
func mustSay(t *testing.T, err error, want string) {
	t.Helper()
	if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

// An answer is compared as it comes, in whatever pieces; one that is wrong, cut short, late or too long fails.
func TestSend(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(net.Conn)
		want   string
	}{
		"right":      {func(conn net.Conn) { _, _ = io.WriteString(conn, "+PONG\r\n"); _, _ = io.Copy(io.Discard, conn) }, ""},
		"in pieces":  {func(conn net.Conn) { write(conn, "+", "PO", "NG"); _, _ = io.Copy(io.Discard, conn) }, ""},
		"wrong":      {func(conn net.Conn) { _, _ = io.WriteString(conn, "-ERR loading\r\n") }, `"-ERR loading\r\n" came`},
		"nothing":    {func(net.Conn) {}, `"" came`},
		"cut short":  {func(conn net.Conn) { _, _ = io.WriteString(conn, "+PO") }, `"+PO" came`},
		"no end":     {func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }, `"" came in time`},
		"too long":   {func(conn net.Conn) { _, _ = conn.Write(bytes.Repeat([]byte("x"), MaxAnswer)); write(conn, "+PONG") }, "came"},
		"at the end": {func(conn net.Conn) { _, _ = conn.Write(bytes.Repeat([]byte("x"), MaxAnswer-5)); write(conn, "+PONG") }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			address := serve(t, func(conn net.Conn) {
				got := make([]byte, 6)
				if _, err := io.ReadFull(conn, got); err != nil || string(got) != "PING\r\n" {
					t.Errorf("the target got %q, %v", got, err)
				}
				c.answer(conn)
			})
			check := &Check{Send: []byte("PING\r\n"), Expect: regexp.MustCompile(`\+PONG`).Match}
			mustSay(t, look(t, check, address, 300*time.Millisecond), c.want)
		})
	}
}

// write writes pieces that are likely to arrive one by one.
func write(conn net.Conn, pieces ...string) {
	for _, piece := range pieces {
		_, _ = io.WriteString(conn, piece)
		time.Sleep(time.Millisecond)
	}
}

// A target that resets the connection after the request is no better than one that says nothing.
func TestReset(t *testing.T) {
	address := serve(t, func(conn net.Conn) {
		_, _ = conn.Read(make([]byte, 1))
		_ = conn.(*net.TCPConn).SetLinger(0)
	})
	mustSay(t, look(t, &Check{Send: []byte("x"), Expect: regexp.MustCompile("y").Match}, address, time.Second), "connection reset")
}

// HTTP is judged by status and body.
func TestHTTP(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.RequestURI() {
		case "/health?deep=1":
			if r.Host != "example.com" || r.UserAgent() != "caddy-sticky" || !r.Close {
				w.WriteHeader(http.StatusTeapot)
			}
			w.WriteHeader(http.StatusEarlyHints)
			_, _ = io.WriteString(w, r.Method+" ok")
		case "/moved":
			http.Redirect(w, r, "/", http.StatusFound)
		case "/long":
			_, _ = w.Write(bytes.Repeat([]byte("x"), 2*MaxAnswer))
			_, _ = io.WriteString(w, "ok")
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()
	for _, c := range []struct{ method, path, statuses, body, want string }{
		{"GET", "/health?deep=1", "200", "", ""},
		{"GET", "/health?deep=1", "200", "^GET ok$", ""},
		{"POST", "/health?deep=1", "200", "POST", ""},
		{"HEAD", "/health?deep=1", "200", "", ""},
		{"GET", "/health?deep=1", "200", "down", `the body is not as expected: "GET ok" came`},
		{"GET", "/", "200-399", "", "the status is 503"},
		{"GET", "/", "200-399,503", "", ""},
		{"GET", "/moved", "200-299", "", "the status is 302"},
		{"GET", "/moved", "200-399", "", ""},
		{"GET", "/long", "200", "ok", "the body is not as expected"},
		{"GET", "/long", "200", "xx", ""},
	} {
		statuses, err := ParseStatuses(c.statuses)
		if err != nil {
			t.Fatal(err)
		}
		request := &Request{Method: c.method, Path: c.path, Host: "example.com", Statuses: statuses}
		if c.body != "" {
			request.Body = regexp.MustCompile(c.body)
		}
		mustSay(t, look(t, &Check{HTTP: request}, server.Listener.Addr().String(), 5*time.Second), c.want)
	}
	silent := serve(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	mustSay(t, look(t, &Check{HTTP: &Request{Method: "GET", Path: "/", Host: "a"}}, silent, 50*time.Millisecond), "reading the response")
	odd := serve(t, func(conn net.Conn) { write(conn, "SSH-2.0-x\r\n") })
	mustSay(t, look(t, &Check{HTTP: &Request{Method: "GET", Path: "/", Host: "a"}}, odd, time.Second), "malformed HTTP")
}

// TLS is spoken, and the certificate looked at; the PROXY header goes before it.
func TestTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	trust := server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	ok := Statuses{{200, 200}}
	for name, c := range map[string]struct {
		config *tls.Config
		want   string
	}{
		"trusted":    {&tls.Config{RootCAs: trust, ServerName: "example.com"}, ""},
		"other name": {&tls.Config{RootCAs: trust, ServerName: "example.org"}, "TLS handshake"},
		"unknown":    {&tls.Config{ServerName: "example.com"}, "TLS handshake"},
		"whoever":    {&tls.Config{InsecureSkipVerify: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			check := &Check{TLS: c.config, HTTP: &Request{Method: "GET", Path: "/", Host: "a", Statuses: ok}}
			mustSay(t, look(t, check, server.Listener.Addr().String(), 5*time.Second), c.want)
			mustSay(t, look(t, &Check{TLS: c.config}, server.Listener.Addr().String(), 5*time.Second), c.want)
		})
	}
	header := make(chan []byte, 1)
	plain := serve(t, func(conn net.Conn) {
		got := make([]byte, 5)
		_, _ = io.ReadFull(conn, got)
		header <- got
	})
	mustSay(t, look(t, &Check{Header: []byte("PROXY"), TLS: &tls.Config{InsecureSkipVerify: true}}, plain, time.Second), "TLS handshake")
	if got := <-header; string(got) != "PROXY" {
		t.Errorf("the target got %q first", got)
	}
}

// A check ends with its context, also one that speaks TLS.
func TestContext(t *testing.T) {
	silent := serve(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	server := httptest.NewTLSServer(handler)
	defer server.Close()
	for name, c := range map[string]struct {
		address string
		check   *Check
	}{
		"expect":    {silent, &Check{Expect: func([]byte) bool { return false }}},
		"handshake": {silent, &Check{TLS: &tls.Config{ServerName: "example.com"}}},
		"TLS": {server.Listener.Addr().String(), &Check{
			TLS:  &tls.Config{InsecureSkipVerify: true},
			HTTP: &Request{Method: "GET", Path: "/", Host: "a"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("tcp", c.address)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if err := c.check.Run(ctx, conn, time.Now().Add(time.Hour)); err == nil || ctx.Err() == nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
}

func TestStatuses(t *testing.T) {
	s, err := ParseStatuses("200-299,401,503-503")
	if err != nil {
		t.Fatal(err)
	}
	for status, want := range map[int]bool{199: false, 200: true, 299: true, 300: false, 401: true, 402: false, 503: true, 0: false} {
		if s.Has(status) != want {
			t.Errorf("%d: %v", status, !want)
		}
	}
	for text, want := range map[string]string{
		"": "'' is not a status", "99": "'99'", "600": "'600'", "200,": "''", "300-200": "'300-200' ends before it begins", "2xx": "'2xx'", "200-": "''", "+20": "'+20'", "200 - 300": "'200 '",
	} {
		if _, err := ParseStatuses(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// FuzzStatuses reads anything as statuses. What is taken has only those from 100 to 599.
func FuzzStatuses(f *testing.F) {
	for _, text := range []string{"200-399,401", "", "1-2", "200--300", "599", "100-599,", "0x1"} {
		f.Add(text, 200)
	}
	f.Fuzz(func(t *testing.T, text string, status int) {
		s, err := ParseStatuses(text)
		if err == nil && s.Has(status) && (status < 100 || status > 599) {
			t.Errorf("%q has %d", text, status)
		}
	})
}
