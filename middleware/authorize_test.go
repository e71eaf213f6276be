package middleware

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// service is an HTTP service that tests ask.
type service struct {
	*httptest.Server
	asked atomic.Int64
	mu    sync.Mutex // guards what it got last
	body  string
}

func startService(t *testing.T, network, address string, answer http.HandlerFunc) *service {
	t.Helper()
	s := new(service)
	listener, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("got a %s of %s (%v)", r.Method, r.Header.Get("Content-Type"), err)
		}
		s.mu.Lock()
		s.body = string(body)
		s.mu.Unlock()
		s.asked.Add(1)
		answer(w, r)
	}))
	s.Listener.Close()
	s.Listener = listener
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func (s *service) got() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.body
}

func provision(t *testing.T, a *Authorize) *Authorize {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: t.Context()})
	t.Cleanup(cancel)
	if err := a.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	return a
}

func testClient(ip string) *Client {
	return NewClient(&net.TCPAddr{IP: net.ParseIP(ip), Port: 50000}, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443})
}

func TestAnswers(t *testing.T) {
	status, text := 0, ""
	answer := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, text)
	}
	socket := filepath.Join(t.TempDir(), "s")
	startService(t, "unix", socket, answer)
	tcp := startService(t, "tcp", "127.0.0.1:0", answer)
	for _, c := range []struct {
		status        int
		text          string
		deny, onError string // what the answer means; nothing lets in
	}{
		{200, "welcome", "", ""},
		{204, "", "", ""},
		{403, "", "403 Forbidden", "403 Forbidden"},
		{403, "\nbanned until noon\nsecond line", "403 Forbidden: banned until noon", "403 Forbidden: banned until noon"},
		{429, strings.Repeat("x", 10000), "429 Too Many Requests: " + strings.Repeat("x", 200), "429 Too Many Requests: " + strings.Repeat("x", 200)},
		{302, "", "the status is 302", ""},
		{500, "", "the status is 500", ""},
	} {
		status, text = c.status, c.text
		for _, rule := range []string{"", onErrorDeny, onErrorAllow} {
			want := c.deny
			if rule == onErrorAllow {
				want = c.onError
			}
			for _, a := range []*Authorize{{URL: tcp.URL + "/check", OnError: rule}, {URL: "http://service/check", Socket: socket, OnError: rule}} {
				err := provision(t, a).Decide(t.Context(), testClient("203.0.113.7"))
				if (err == nil) != (want == "") || (err != nil && !strings.HasSuffix(err.Error(), want)) {
					t.Errorf("status %d, on_error %s: %v, want %q", c.status, rule, err, want)
				}
			}
		}
	}
	if want := `{"client":"203.0.113.7","local":"192.0.2.1:443"}`; tcp.got() != want {
		t.Errorf("the question is %s, want %s", tcp.got(), want)
	}
}

func TestNoAnswer(t *testing.T) {
	release := make(chan struct{})
	hanging := startService(t, "tcp", "127.0.0.1:0", func(http.ResponseWriter, *http.Request) { <-release })
	defer close(release)
	for url, want := range map[string]string{
		"http://127.0.0.1:1/": "connection refused",
		hanging.URL:           "context deadline exceeded",
	} {
		before := testutil.ToFloat64(answers.WithLabelValues("error"))
		a := provision(t, &Authorize{URL: url, Timeout: caddy.Duration(50 * time.Millisecond)})
		if err := a.Decide(t.Context(), testClient("203.0.113.7")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
		a = provision(t, &Authorize{URL: url, Timeout: caddy.Duration(50 * time.Millisecond), OnError: onErrorAllow})
		if err := a.Decide(t.Context(), testClient("203.0.113.7")); err != nil {
			t.Errorf("%s: %v", url, err)
		}
		if n := testutil.ToFloat64(answers.WithLabelValues("error")) - before; n != 2 {
			t.Errorf("%v errors were counted, want 2", n)
		}
	}
}

// An answer holds for its time, for that client and local address; an error doesn't.
func TestCache(t *testing.T) {
	var status atomic.Int64
	s := startService(t, "tcp", "127.0.0.1:0", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(status.Load())) })
	a := provision(t, &Authorize{URL: s.URL, CacheTTL: caddy.Duration(time.Minute), CacheSize: 3})
	clock := &testClock{time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	a.authority.now = clock.now
	expect := func(ip string, allowed bool, asked int64) {
		t.Helper()
		err := a.Decide(t.Context(), testClient(ip))
		if (err == nil) != allowed || s.asked.Load() != asked {
			t.Errorf("%s: %v after %d questions, want %v after %d", ip, err, s.asked.Load(), allowed, asked)
		}
	}
	status.Store(500)
	expect("203.0.113.1", false, 1)
	expect("203.0.113.1", false, 2)
	status.Store(200)
	expect("203.0.113.1", true, 3)
	status.Store(403)
	expect("203.0.113.1", true, 3)
	expect("203.0.113.2", false, 4)
	status.Store(200)
	expect("203.0.113.2", false, 4)
	clock.pass(time.Minute - 1)
	expect("203.0.113.1", true, 4)
	clock.pass(1)
	expect("203.0.113.1", true, 5)
	expect("203.0.113.2", true, 6)
	for n := range 10 {
		expect(fmt.Sprintf("203.0.113.%d", 10+n), true, int64(7+n))
	}
	if n := a.authority.known.Len(); n != 3 {
		t.Errorf("%d answers are kept, want 3", n)
	}
}

// All connections of a client wait for the same answer, and one that leaves takes it from nobody.
func TestOneQuestionAtATime(t *testing.T) {
	release := make(chan struct{})
	s := startService(t, "tcp", "127.0.0.1:0", func(http.ResponseWriter, *http.Request) { <-release })
	a := provision(t, &Authorize{URL: s.URL, Timeout: caddy.Duration(time.Minute)})

	leaving, leave := context.WithCancel(t.Context())
	left := make(chan error)
	go func() { left <- a.Decide(leaving, testClient("203.0.113.1")) }()
	eventually(t, func() bool { return s.asked.Load() == 1 })
	results := make(chan error)
	for n := range 50 {
		go func() { results <- a.Decide(t.Context(), testClient(fmt.Sprintf("203.0.113.%d", 1+n%2))) }()
	}
	leave()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("the one that left got %v", err)
	}
	eventually(t, func() bool { return s.asked.Load() == 2 })
	close(release)
	for range 50 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := s.asked.Load(); n != 2 {
		t.Errorf("%d questions about two clients", n)
	}
}

// A client at two local addresses is two questions, one after the other.
func TestOneQuestionForEachAddress(t *testing.T) {
	entered := make(chan struct{}, 1)
	s := startService(t, "tcp", "127.0.0.1:0", func(http.ResponseWriter, *http.Request) {
		select {
		case entered <- struct{}{}:
			<-time.After(200 * time.Millisecond) // in which the other question must not come
			<-entered
		default:
			t.Error("two questions about one client at the same time")
		}
	})
	a := provision(t, &Authorize{URL: s.URL, Timeout: caddy.Duration(time.Minute)})
	results := make(chan error)
	for n := range 20 {
		client := testClient("203.0.113.1")
		client.local = &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443 + n%2}
		go func() { results <- a.Decide(t.Context(), client) }()
	}
	for range 20 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	if n := s.asked.Load(); n != 2 {
		t.Errorf("%d questions about two addresses", n)
	}
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("waited in vain")
		}
	}
}
