package relay

import (
	"crypto/sha256"
	"errors"
	"flag"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// sideBySide is how many tests run side by side. Those that do wait for time to pass.
const sideBySide = "12"

func TestMain(m *testing.M) {
	flag.Parse()
	if side := flag.Lookup("test.parallel"); side.Value.String() == side.DefValue {
		_ = side.Value.Set(sideBySide)
	}
	goleak.VerifyTestMain(m)
}

// A bench is a running relay with a client at one end and a target at the other.
type bench struct {
	client, target net.Conn
	result         chan flow.Result
	failed         chan struct{} // gets a value when the target's failure is told
	counters       flow.Counters
}

// wrapped hides what a connection is, as TLS does; it can still end one direction.
type wrapped struct {
	net.Conn
	closeWriter
}

// opaque can't even do that.
type opaque struct{ net.Conn }

// kinds are the connections that a relay is used with, and the ways to carry them.
var kinds = map[string]func(t *testing.T, early []byte) *bench{
	"loop": func(t *testing.T, early []byte) *bench { return startLoop(t, early, new(Options)) },
	"tcp": func(t *testing.T, early []byte) *bench {
		return startRun(t, "tcp", "127.0.0.1:0", early, new(Options), func(c net.Conn) net.Conn { return c })
	},
	"wrapped": func(t *testing.T, early []byte) *bench {
		return startRun(t, "tcp", "127.0.0.1:0", early, new(Options), func(c net.Conn) net.Conn { return wrapped{c, c.(closeWriter)} })
	},
	"unix": func(t *testing.T, early []byte) *bench {
		return startRun(t, "unix", filepath.Join(t.TempDir(), "s"), early, new(Options), func(c net.Conn) net.Conn { return c })
	},
}

func each(t *testing.T, test func(t *testing.T, start func(t *testing.T, early []byte) *bench)) {
	for name, start := range kinds {
		if name == "loop" && runtime.GOOS != "linux" {
			continue
		}
		t.Run(name, func(t *testing.T) { test(t, start) })
	}
}

// eachAtOnce runs a test for some of the kinds, side by side.
func eachAtOnce(t *testing.T, names []string, test func(t *testing.T, kind string)) {
	for _, kind := range names {
		if kind == "loop" && runtime.GOOS != "linux" {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			test(t, kind)
		})
	}
}

// startRun carries a connection by goroutines.
func startRun(t *testing.T, network, address string, early []byte, options *Options, wrap func(net.Conn) net.Conn) *bench {
	t.Helper()
	client, down := conntest.Connected(t, network, address)
	up, target := conntest.Connected(t, "tcp", "127.0.0.1:0")
	b := newBench(t, client, target)
	go func() {
		Run(wrap(down), up, early, len(early), b, options)
		_ = up.Close()
		_ = down.Close()
	}()
	return b
}

// startLoop carries a connection by a loop, which dials the target itself.
func startLoop(t *testing.T, early []byte, options *Options) *bench {
	t.Helper()
	return startWithAborter(t, early, options, nil)
}

func startWithAborter(t *testing.T, early []byte, options *Options, aborter *Aborter) *bench {
	t.Helper()
	client, down := conntest.Connected(t, "tcp", "127.0.0.1:0")
	ln := conntest.Listen(t)
	if options.Timeout == 0 {
		options.Timeout, options.Late = 10*time.Second, 10*time.Second
	}
	b := newBench(t, client, nil)
	picker := &fakePicker{line: b, targets: []search.Target{at(ln)}, lost: make(chan error, 1)}
	if taken, err := Go(down, early, 0, picker, options, aborter); err != nil || !taken {
		t.Fatalf("taken %v, %v", taken, err)
	}
	_ = down.Close()
	var err error
	if b.target, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	b.deadline(b.target)
	return b
}

func newBench(t *testing.T, client, target net.Conn) *bench {
	b := &bench{client: client, target: target, result: make(chan flow.Result, 1), failed: make(chan struct{}, 10)}
	b.deadline(client)
	b.deadline(target)
	t.Cleanup(func() {
		_ = client.Close()
		if b.target != nil {
			_ = b.target.Close()
		}
	})
	return b
}

func (b *bench) deadline(conn net.Conn) {
	if conn != nil {
		_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	}
}

// TargetFailed and Done make the bench the line of its connection.

func (b *bench) Counters() *flow.Counters { return &b.counters }

func (b *bench) TargetFailed() { b.failed <- struct{}{} }

func (b *bench) Done(r flow.Result) { b.result <- r }

func (b *bench) wait(t *testing.T) flow.Result {
	t.Helper()
	select {
	case r := <-b.result:
		if told := len(b.failed); (r.TargetErr != nil) != (told == 1) {
			t.Errorf("the target's failure was told %d times, the result is %+v", told, r)
		}
		return r
	case <-time.After(30 * time.Second):
		t.Fatal("the relay does not end")
		panic("unreachable")
	}
}

// The names of what these tests do most.
var (
	send        = conntest.Send
	expect      = conntest.Expect
	expectEnd   = conntest.ExpectEnd
	expectReset = conntest.ExpectReset
	halfClose   = conntest.HalfClose
	reset       = conntest.Reset
)

func TestBytesGoBothWaysEarlyOnesFirst(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, []byte("early "))
		send(t, b.target, "banner")
		expect(t, b.client, "banner")
		send(t, b.client, "late")
		expect(t, b.target, "early late")
		for deadline := time.Now().Add(20 * time.Second); b.counters.Bytes(flow.Client) != 10 || b.counters.Bytes(flow.Target) != 6; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d bytes up and %d down are counted while the connection is open, want 10 and 6",
					b.counters.Bytes(flow.Client), b.counters.Bytes(flow.Target))
			}
		}
		_ = b.client.Close()
		expectEnd(t, b.target)
		_ = b.target.Close()
		if r := b.wait(t); r != (flow.Result{ToTarget: 10, ToClient: 6, End: flow.ClientFirst}) {
			t.Errorf("result %+v", r)
		}
	})
}

func TestHalfClose(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		t.Run("client first", func(t *testing.T) {
			b := start(t, nil)
			send(t, b.client, "question")
			halfClose(t, b.client)
			expect(t, b.target, "question")
			expectEnd(t, b.target)
			send(t, b.target, "answer")
			_ = b.target.Close()
			expect(t, b.client, "answer")
			expectEnd(t, b.client)
			b.wait(t)
		})
		t.Run("target first", func(t *testing.T) {
			b := start(t, nil)
			send(t, b.target, "all I have")
			halfClose(t, b.target)
			expect(t, b.client, "all I have")
			expectEnd(t, b.client)
			send(t, b.client, "thanks")
			_ = b.client.Close()
			expect(t, b.target, "thanks")
			expectEnd(t, b.target)
			b.wait(t)
		})
	})
}

// TestBulk sends much both ways at once, with pauses of the readers, and compares checksums. It takes
// splice's way where there is one.
func TestBulk(t *testing.T) {
	const size = 32 << 20
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, nil)
		sums := make(chan [sha256.Size]byte, 4)
		pour := func(conn net.Conn, seed uint64) {
			h := sha256.New()
			source := rand.NewChaCha8([32]byte{byte(seed)})
			_, err := io.CopyN(io.MultiWriter(conn, h), source, size)
			if err != nil {
				t.Error(err)
			}
			halfClose(t, conn)
			sums <- [sha256.Size]byte(h.Sum(nil))
		}
		drain := func(conn net.Conn) {
			h := sha256.New()
			if _, err := io.Copy(h, conn); err != nil {
				t.Error(err)
			}
			sums <- [sha256.Size]byte(h.Sum(nil))
		}
		go pour(b.client, 1)
		go pour(b.target, 2)
		go drain(b.client)
		go drain(b.target)
		counts := make(map[[sha256.Size]byte]int)
		for range 4 {
			counts[<-sums]++
		}
		if len(counts) != 2 {
			t.Errorf("%d checksums, want 2", len(counts))
		}
		if r := b.wait(t); r != (flow.Result{ToTarget: size, ToClient: size, End: r.End}) {
			t.Errorf("result %+v", r)
		}
	})
}

func TestBackPressure(t *testing.T) {
	t.Parallel()
	eachAtOnce(t, slices.Collect(maps.Keys(kinds)), func(t *testing.T, kind string) {
		b := kinds[kind](t, nil)
		_ = b.client.SetWriteDeadline(time.Now().Add(time.Second))
		written, err := io.Copy(b.client, endless{})
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("writing to a target that does not read: %v, want a time-out", err)
		}
		if written > 64<<20 {
			t.Errorf("%d bytes were taken for a target that does not read", written)
		}
		_ = b.client.(closeWriter).CloseWrite()
		if read, err := io.Copy(io.Discard, b.target); err != nil || read != written {
			t.Errorf("the target read %d bytes of %d, %v", read, written, err)
		}
	})
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// linger is how long a client may go on whose target is gone, and maxLinger the same while it has not received everything:
// nothing that can end at once may take so long.
const (
	linger    = 2 * time.Second
	maxLinger = 30 * time.Second
)
