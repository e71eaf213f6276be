package scripttest

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

const (
	// Patience is how long a test waits for what should come soon, and how long scripts have for it: the machine may
	// be busy with other tests. Where a limit of time is tested, the test sets it.
	Patience = time.Minute
	// ShortRun is the RunLimit of tests in which it is reached: much more than what the clients take who are to be let
	// in, also on a busy machine.
	ShortRun = 400 * time.Millisecond
)

// Box is a script under test.
type Box struct {
	*decide.Script
	Path string
	Log  *Journal

	t testing.TB
}

// An Opener opens the script at a path in a runtime.
type Opener func(path string, o decide.Options) (*decide.Script, error)

// Load loads the script balancer.js, or balancer.mjs, among files. There is a Box also if that fails.
func Load(t testing.TB, open Opener, o decide.Options, files map[string]string) (*Box, error) {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &Box{t: t, Path: filepath.Join(folder, "balancer.js"), Log: new(Journal)}
	for name, text := range files {
		Write(t, filepath.Join(folder, name), text)
		if name == "balancer.mjs" {
			b.Path = filepath.Join(folder, name)
		}
	}
	if o.RunLimit == 0 {
		o.RunLimit = Patience
	}
	o.Logger = slog.New(slog.NewTextHandler(b.Log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b.Script, err = open(b.Path, o)
	if err == nil {
		t.Cleanup(b.Close)
	}
	return b, err
}

// MustLoad loads the script with a text.
func MustLoad(t testing.TB, open Opener, o decide.Options, text string) *Box {
	t.Helper()
	b, err := Load(t, open, o, map[string]string{"balancer.js": text})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Middleware returns a script whose one middleware, function (socket, next), has this body.
func Middleware(body string) string {
	return "module.exports.run = function (balancer) { balancer.addMiddleware('connection', function (socket, next) {\n" + body + "\n}); };"
}

// Guilty returns a script in which something happens to one client only, 192.0.2.66: the others wait a moment and are let in.
func Guilty(fault string) string {
	return `
		const list = ['x'];
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			if (socket.remoteAddress !== '::ffff:192.0.2.66') return void setTimeout(next, 20);
			` + fault + `
		});`
}

// Write writes a file, and the folders that it is in.
func Write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Client is one from an address.
func Client(host string) decide.Client {
	return decide.Client{Remote: netip.AddrPortFrom(netip.MustParseAddr(host), 4711), Local: netip.MustParseAddrPort("127.0.0.1:80")}
}

// Ask decides about a client and returns the reason, or nothing if it may come in.
func (b *Box) Ask(host string) string {
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	if err := b.Decide(ctx, Client(host)); err != nil {
		return err.Error()
	}
	return ""
}

// Want asks about a client and wants a reason, with FILE for the script's path.
func (b *Box) Want(host, reason string) {
	b.t.Helper()
	if got, want := b.Ask(host), strings.ReplaceAll(reason, "FILE", b.Path); got != want {
		b.t.Errorf("%s: got %q, want %q", host, got, want)
	}
}

// Together decides about n clients at once and returns the reasons.
func (b *Box) Together(n int) []string {
	reasons := make([]string, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(safely.Func("clients of a test", func() { reasons[i] = b.Ask(fmt.Sprintf("10.0.%d.%d", i/256, i%256)) }))
	}
	wait.Wait()
	return reasons
}

// Targets knows one target, which cannot be deactivated.
type Targets string

// IsActive reports whether it is the one.
func (f Targets) IsActive(address string) (bool, error) { return address == string(f), nil }

// Deactivate returns an error.
func (f Targets) Deactivate(address string) error { return fmt.Errorf("not %s now", address) }
