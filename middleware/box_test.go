package middleware_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/mholt/caddy-l4/layer4"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	_ "github.com/mholt/caddy-l4"

	"github.com/caddy-sticky/caddy-sticky/middleware"
)

// patience is how long a test waits for what should happen at once.
const patience = 15 * time.Second

func init() {
	caddy.RegisterModule(new(scripted))
	caddy.RegisterModule(new(greeter))
	caddy.RegisterModule(new(observing))
}

// scripted is a middleware that does what the test has set for its name.
type scripted struct {
	Name string `json:"name,omitempty"`
}

type script = func(ctx context.Context, client *middleware.Client) error

var scripts sync.Map // of script by name

func set(name string, what script) { scripts.Store(name, what) }

func (*scripted) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "layer4.middleware.scripted", New: func() caddy.Module { return new(scripted) }}
}

func (s *scripted) Decide(ctx context.Context, client *middleware.Client) error {
	what, _ := scripts.Load(s.Name)
	return what.(script)(ctx, client)
}

// greeter is a handler that says a word, after reading a line if it is told to.
type greeter struct {
	Word   string `json:"word,omitempty"`
	Listen bool   `json:"listen,omitempty"`
}

func (*greeter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "layer4.handlers.greeter", New: func() caddy.Module { return new(greeter) }}
}

// newestRegistry is the registry of the newest config.
var newestRegistry atomic.Pointer[prometheus.Registry]

func (*greeter) Provision(ctx caddy.Context) error {
	newestRegistry.Store(ctx.GetMetricsRegistry())
	return nil
}

func (g *greeter) Handle(cx *layer4.Connection, _ layer4.Handler) error {
	word := cx.Replacer().ReplaceAll(g.Word, "")
	if g.Listen {
		line := make([]byte, 5)
		if _, err := io.ReadFull(cx, line); err != nil {
			return err
		}
		word += string(line)
	}
	_, err := io.WriteString(cx, word)
	return err
}

// observing is a logging core that keeps all entries for the test.
type observing struct{ zapcore.Core }

var observedCore, observedLogs = observer.New(zapcore.DebugLevel)

func (*observing) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "caddy.logging.cores.observing", New: func() caddy.Module { return &observing{observedCore} }}
}

// serve runs a layer4 server with the routes until the test ends, and returns its address. There is one Caddy in
// the process, so tests that serve don't run side by side.
func serve(t testing.TB, routes ...string) string {
	t.Helper()
	observedLogs.TakeAll()
	address, fd := listen(t)
	run(t, fd, routes...)
	t.Cleanup(stop(t))
	return address
}

func stop(t testing.TB) func() {
	return func() {
		if err := caddy.Stop(); err != nil {
			t.Error(err)
		}
	}
}

// listen opens a socket for Caddy, which takes it as fd/N.
func listen(t testing.TB) (address string, fd int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	file, err := listener.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { file.Close() })
	// Fd puts the socket into blocking mode, so it is called before Caddy accepts, and never again.
	return listener.Addr().String(), int(file.Fd())
}

// run loads a config with these routes, in place of the one before.
func run(t testing.TB, fd int, routes ...string) {
	t.Helper()
	config := fmt.Sprintf(`{
		"admin": {"disabled": true},
		"logging": {"logs": {"default": {"writer": {"output": "discard"}, "level": "DEBUG", "core": {"module": "observing"}}}},
		"apps": {"layer4": {"servers": {"s": {"listen": ["fd/%d"], "routes": [%s]}}}}
	}`, fd, strings.Join(routes, ","))
	var c caddy.Config
	if err := json.Unmarshal([]byte(config), &c); err != nil {
		t.Fatalf("%v in %s", err, config)
	}
	if err := caddy.Run(&c); err != nil {
		t.Fatal(err)
	}
}

// route returns a route with a matcher, or none, and the greeter.
func route(match, word string) string {
	if match != "" {
		match = `"match": [` + match + `], `
	}
	return fmt.Sprintf(`{%s"handle": [{"handler": "greeter", "word": %q}]}`, match, word)
}

// matcher returns the matcher with a chain of scripted middlewares and more options.
func matcher(options string, names ...string) string {
	var chain []string
	for _, name := range names {
		chain = append(chain, fmt.Sprintf(`{"middleware": "scripted", "name": %q}`, name))
	}
	return `{"middleware": {"chain": [` + strings.Join(chain, ",") + `]` + options + `}}`
}

func not(match string) string { return `{"not": [` + match + `]}` }

func dial(t testing.TB, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return conn.(*net.TCPConn)
}

// ask connects, says something, and returns all that comes until the end, and how that ends.
func ask(t testing.TB, address, say string) (string, error) {
	t.Helper()
	conn := dial(t, address)
	defer conn.Close()
	if _, err := io.WriteString(conn, say); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatal("the connection was not closed")
	}
	return string(answer), err
}

// must fails unless a client gets this answer and then an orderly end.
func must(t testing.TB, address, say, want string) {
	t.Helper()
	if answer, err := ask(t, address, say); answer != want || err != nil {
		t.Errorf("got %q and %v, want %q", answer, err, want)
	}
}

// blocks awaits as many logged blocks, and returns their fields.
func blocks(t testing.TB, count int) []map[string]any {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		entries := observedLogs.FilterMessage("blocked a client").All()
		if len(entries) >= count {
			var all []map[string]any
			for _, entry := range entries {
				all = append(all, entry.ContextMap())
			}
			return all
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d blocks were logged, want %d", len(entries), count)
		}
	}
}

// validate provisions a config without running it.
func validate(config []byte) error {
	var c caddy.Config
	if err := json.Unmarshal(config, &c); err != nil {
		return err
	}
	return caddy.Validate(&c)
}
