//go:build linux

package hostile

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/node"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/scripttest"
)

const (
	// patience is how long a test waits for what should come soon: the machine may be busy with other tests.
	patience = 30 * time.Second
	// runLimit is how long scripts compute before they are stopped: much more than what the clients take who are to be let
	// in, also on a busy machine.
	runLimit = 150 * time.Millisecond
)

// The clients that come. There are two kinds of innocent ones: about some the script decides at once, about others later.
const (
	guilty   = "192.0.2.66"
	banned   = "192.0.2.99"
	innocent = "192.0.2.1"
	slow     = "192.0.2.2"
)

// runtimes are those under test.
var runtimes = map[string]func(testing.TB) decide.Runtime{
	"embedded": func(testing.TB) decide.Runtime { return embedded.NewRuntime() },
	"node": func(t testing.TB) decide.Runtime {
		r, err := node.Find(t.Context(), "")
		if err != nil {
			t.Fatal(err)
		}
		return r
	},
}

// perRuntime runs a test for each runtime, beside each other.
func perRuntime(t *testing.T, test func(t *testing.T, runtime string)) {
	for _, name := range slices.Sorted(maps.Keys(runtimes)) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, name)
		})
	}
}

// box is a script under test.
type box struct {
	*decide.Script
	t   testing.TB
	log scripttest.Journal
}

// open loads a script that does something hostile for one client, keeps another one out, and lets all others in.
func open(t testing.TB, runtime string, o decide.Options, h hostile) *box {
	t.Helper()
	return load(t, runtime, o, `
		const kept = [];
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			const address = socket.remoteAddress;
			if (address === '::ffff:`+banned+`') return next('banned');
			if (address === '::ffff:`+slow+`') return void setTimeout(next, 5);
			if (address !== '::ffff:`+guilty+`') return next();
			`+h.code+`
		});`)
}

func load(t testing.TB, runtime string, o decide.Options, text string) *box {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "balancer.js")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(folder, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := &box{t: t}
	o.Logger = slog.New(slog.NewTextHandler(&b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	if b.Script, err = decide.Open(path, o, runtimes[runtime](t)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		b.Close()
		if t.Failed() {
			t.Logf("logged\n%.4000s", b.log.String())
		}
	})
	return b
}

// ask decides about a client within a time.
func (b *box) ask(host string, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), limit, errPatience)
	defer cancel()
	return b.Decide(ctx, decide.Client{
		Remote: netip.AddrPortFrom(netip.MustParseAddr(host), 4711),
		Local:  netip.MustParseAddrPort("127.0.0.1:80"),
		OnEnd:  func(func()) func() { return func() {} },
		Kick:   func() {},
	})
}

var errPatience = fmt.Errorf("%v are over", patience)

// figures are the largest of what was measured.
type figures struct {
	mu   sync.Mutex
	most map[string]time.Duration
	of   map[string]string
}

func (f *figures) note(what, name string, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.most == nil {
		f.most, f.of = make(map[string]time.Duration), make(map[string]string)
	}
	if d > f.most[what] {
		f.most[what], f.of[what] = d, name
	}
}

func (f *figures) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(f.most)) {
		lines = append(lines, fmt.Sprintf("%s at most %v (%s)", what, f.most[what].Round(time.Millisecond), f.of[what]))
	}
	return strings.Join(lines, ", ")
}
