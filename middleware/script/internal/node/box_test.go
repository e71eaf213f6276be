//go:build unix

package node

import (
	"bytes"
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

	"go.uber.org/goleak"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

func TestMain(m *testing.M) {
	if script := os.Getenv("NODE_TEST_PARENT"); script != "" {
		beParent(script)
	}
	goleak.VerifyTestMain(m)
}

const (
	// testPatience is how long a test waits for what should come soon, and how long scripts have for it: the machine may
	// be busy with other tests. Where a limit of time is tested, the test sets it.
	testPatience = time.Minute
	// shortRun is the RunLimit of tests in which it is reached: much more than what the clients take who are to be let
	// in, also on a busy machine.
	shortRun = 400 * time.Millisecond
)

// box is a script under test.
type box struct {
	*decide.Script
	t    testing.TB
	path string
	log  *journal

	engine *engine // the last one that was started
}

// spy remembers the engine of a script.
type spy struct {
	*Runtime
	box *box
}

func (s spy) Start(ctx context.Context, script *decide.Script) (decide.Engine, error) {
	e, err := s.Runtime.Start(ctx, script)
	s.box.engine, _ = e.(*engine)
	return e, err
}

// open loads a script that is the body of one middleware, function (socket, next).
func open(t testing.TB, middleware string) *box {
	t.Helper()
	return run(t, decide.Options{}, "module.exports.run = function (balancer) { balancer.addMiddleware('connection', function (socket, next) {\n"+
		middleware+"\n}); };")
}

// run loads a script.
func run(t testing.TB, o decide.Options, text string) *box {
	t.Helper()
	b, err := tryLoad(t, o, map[string]string{"balancer.js": text})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// tryLoad loads the script balancer.js, or .mjs, among files.
func tryLoad(t testing.TB, o decide.Options, files map[string]string) (*box, error) {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := &box{t: t, path: filepath.Join(folder, "balancer.js"), log: new(journal)}
	for name, text := range files {
		write(t, filepath.Join(folder, name), text)
		if name == "balancer.mjs" {
			b.path = filepath.Join(folder, name)
		}
	}
	if o.RunLimit == 0 {
		o.RunLimit = testPatience
	}
	o.Logger = slog.New(slog.NewTextHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r, err := Find(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	b.Script, err = decide.Open(b.path, o, spy{r, b})
	if err == nil {
		t.Cleanup(b.Close)
	}
	return b, err
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// client is one from the last address.
func client(host string) decide.Client {
	return decide.Client{Remote: netip.AddrPortFrom(netip.MustParseAddr(host), 4711), Local: netip.MustParseAddrPort("127.0.0.1:80")}
}

// ask decides about a client and returns the reason, or nothing if it may come in.
func (b *box) ask(host string) string {
	ctx, cancel := context.WithTimeout(context.Background(), testPatience)
	defer cancel()
	if err := b.Decide(ctx, client(host)); err != nil {
		return err.Error()
	}
	return ""
}

// want asks about a client and wants a reason, with FILE for the script's path.
func (b *box) want(host, reason string) {
	b.t.Helper()
	if got, want := b.ask(host), strings.ReplaceAll(reason, "FILE", b.path); got != want {
		b.t.Errorf("%s: got %q, want %q", host, got, want)
	}
}

// journal keeps what is logged.
type journal struct {
	mu    sync.Mutex
	text  bytes.Buffer
	fresh chan struct{}
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fresh != nil {
		close(j.fresh)
		j.fresh = nil
	}
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// clear forgets what was logged.
func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Reset()
}

// await waits until something is logged.
func (j *journal) await(t testing.TB, what string) {
	t.Helper()
	limit := time.After(testPatience)
	for {
		j.mu.Lock()
		found := strings.Contains(j.text.String(), what)
		if j.fresh == nil {
			j.fresh = make(chan struct{})
		}
		fresh := j.fresh
		j.mu.Unlock()
		if found {
			return
		}
		select {
		case <-fresh:
		case <-limit:
			t.Fatalf("%q was not logged, but\n%s", what, j)
		}
	}
}

// together decides about n clients at once and returns the reasons.
func (b *box) together(n int) []string {
	reasons := make([]string, n)
	var wait sync.WaitGroup
	for i := range n {
		wait.Go(func() { reasons[i] = b.ask(fmt.Sprintf("10.0.%d.%d", i/256, i%256)) })
	}
	wait.Wait()
	return reasons
}

// guilty wraps what happens to one client only: the others wait a moment and are let in.
func guilty(t testing.TB, o decide.Options, fault string) *box {
	t.Helper()
	return run(t, o, `
		const list = ['x'];
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			if (socket.remoteAddress !== '::ffff:192.0.2.66') return void setTimeout(next, 20);
			`+fault+`
		});`)
}
