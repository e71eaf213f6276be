package relay

import (
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A bench is a running relay with a client at one end and a target at the other.
type bench struct {
	client, target net.Conn
	result         chan Result
	failed         chan struct{} // gets a value when the target's failure is told
}

// wrapped hides what a connection is, as TLS does; it can still end one direction.
type wrapped struct {
	net.Conn
	closeWriter
}

// Socket returns what is below, as the balancer's wrapped connections do.
func (w wrapped) Socket() net.Conn { return w.Conn }

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

// startRun carries a connection by goroutines.
func startRun(t *testing.T, network, address string, early []byte, options *Options, wrap func(net.Conn) net.Conn) *bench {
	t.Helper()
	client, down := connected(t, network, address)
	up, target := connected(t, "tcp", "127.0.0.1:0")
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
	return startLeashed(t, early, options, nil)
}

func startLeashed(t *testing.T, early []byte, options *Options, leash *Leash) *bench {
	t.Helper()
	client, down := connected(t, "tcp", "127.0.0.1:0")
	ln := listen(t)
	if options.DialTimeout == 0 {
		options.DialTimeout, options.Late = 10*time.Second, 10*time.Second
	}
	b := newBench(t, client, nil)
	route := &fakeRoute{line: b, targets: []Target{at(ln)}, lost: make(chan error, 1)}
	if taken, err := Go(down, early, route, options, leash); err != nil || !taken {
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
	b := &bench{client, target, make(chan Result, 1), make(chan struct{}, 10)}
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

func (b *bench) TargetFailed() { b.failed <- struct{}{} }

func (b *bench) Done(r Result) { b.result <- r }

func listen(t testing.TB) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

// connected returns the two ends of a connection.
func connected(t testing.TB, network, address string) (dialled, accepted net.Conn) {
	t.Helper()
	ln, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if dialled, err = net.Dial(network, ln.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if accepted, err = ln.Accept(); err != nil {
		t.Fatal(err)
	}
	return dialled, accepted
}

func (b *bench) wait(t *testing.T) Result {
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

func send(t *testing.T, conn net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
}

func expect(t *testing.T, conn net.Conn, want string) {
	t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
		t.Fatalf("read %q, %v; want %q", got, err, want)
	}
}

func expectEnd(t *testing.T, conn net.Conn) {
	t.Helper()
	if rest, err := io.ReadAll(conn); err != nil || len(rest) > 0 {
		t.Fatalf("read %q, %v; want the end of the stream", rest, err)
	}
}

// expectReset reads the rest of a stream, which must be cut.
func expectReset(t *testing.T, conn net.Conn) {
	t.Helper()
	rest, err := io.ReadAll(conn)
	if _, isTCP := conn.(*net.TCPConn); !isTCP && err == nil {
		return // there is no reset of a Unix socket
	}
	if len(rest) > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("read %q, %v; want a reset", rest, err)
	}
}

func halfClose(t *testing.T, conn net.Conn) {
	t.Helper()
	if err := conn.(closeWriter).CloseWrite(); err != nil {
		t.Fatal(err)
	}
}

func reset(conn net.Conn) {
	_ = conn.(*net.TCPConn).SetLinger(0)
	_ = conn.Close()
}

func TestBytesGoBothWaysEarlyOnesFirst(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, []byte("early "))
		send(t, b.target, "banner")
		expect(t, b.client, "banner")
		send(t, b.client, "late")
		expect(t, b.target, "early late")
		_ = b.client.Close()
		expectEnd(t, b.target)
		_ = b.target.Close()
		if r := b.wait(t); r != (Result{ToTarget: 10, ToClient: 6}) {
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
	const size = 64 << 20
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
		if r := b.wait(t); r != (Result{ToTarget: size, ToClient: size}) {
			t.Errorf("result %+v", r)
		}
	})
}

func TestBackPressure(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, nil)
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
