package relay

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
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

// opaque can't even do that.
type opaque struct{ net.Conn }

// kinds are the connections that a relay is used with.
var kinds = map[string]func(t *testing.T, early []byte) *bench{
	"tcp": func(t *testing.T, early []byte) *bench {
		return start(t, "tcp", "127.0.0.1:0", early, func(c net.Conn) net.Conn { return c })
	},
	"wrapped": func(t *testing.T, early []byte) *bench {
		return start(t, "tcp", "127.0.0.1:0", early, func(c net.Conn) net.Conn { return wrapped{c, c.(closeWriter)} })
	},
	"unix": func(t *testing.T, early []byte) *bench {
		return start(t, "unix", filepath.Join(t.TempDir(), "s"), early, func(c net.Conn) net.Conn { return c })
	},
}

func each(t *testing.T, test func(t *testing.T, start func(t *testing.T, early []byte) *bench)) {
	for name, start := range kinds {
		t.Run(name, func(t *testing.T) { test(t, start) })
	}
}

func start(t *testing.T, network, address string, early []byte, wrap func(net.Conn) net.Conn) *bench {
	t.Helper()
	client, down := pair(t, network, address)
	up, target := pair(t, "tcp", "127.0.0.1:0")
	for _, end := range []net.Conn{client, target} {
		_ = end.SetDeadline(time.Now().Add(30 * time.Second))
	}
	b := &bench{client, target, make(chan Result, 1), make(chan struct{}, 10)}
	go func() {
		result := Run(wrap(down), up, early, func() { b.failed <- struct{}{} })
		_ = up.Close()
		_ = down.Close()
		b.result <- result
	}()
	t.Cleanup(func() {
		_ = client.Close()
		_ = target.Close()
	})
	return b
}

// pair returns the two ends of a connection.
func pair(t *testing.T, network, address string) (dialled, accepted net.Conn) {
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

func TestClientReset(t *testing.T) {
	for _, name := range []string{"tcp", "wrapped"} {
		t.Run(name, func(t *testing.T) {
			b := kinds[name](t, nil)
			send(t, b.client, "x")
			expect(t, b.target, "x")
			reset(b.client)
			r := b.wait(t)
			if !errors.Is(r.ClientErr, syscall.ECONNRESET) || r.TargetErr != nil {
				t.Errorf("result %+v, want the client's reset alone", r)
			}
			if _, err := b.target.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the target reads %v, want a reset: the stream was cut", err)
			}
		})
	}
}

func TestClientGoneWhileTargetSends(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, nil)
		send(t, b.target, "x")
		expect(t, b.client, "x")
		_ = b.client.Close()
		if _, err := io.Copy(b.target, endless{}); err == nil {
			t.Error("a target can write on and on to a client that is gone")
		}
		if r := b.wait(t); r.ClientErr == nil || r.TargetErr != nil {
			t.Errorf("result %+v, want the client's error alone", r)
		}
	})
}

// TestClientResetWhileTargetStalls is a client that goes while its bytes wait for a target that does not read.
func TestClientResetWhileTargetStalls(t *testing.T) {
	for _, early := range []int{0, 64 << 20} {
		b := kinds["tcp"](t, make([]byte, early))
		_ = b.client.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := io.Copy(b.client, endless{}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("writing to a target that does not read: %v, want a time-out", err)
		}
		reset(b.client)
		if r := b.wait(t); r.ClientErr == nil || r.TargetErr != nil {
			t.Errorf("result %+v, want the client's error alone", r)
		}
	}
}

// TestSlowTargetIsNoReset lets a target pause for longer than a stall is looked at.
func TestSlowTargetIsNoReset(t *testing.T) {
	const size = 32 << 20
	b := kinds["tcp"](t, nil)
	go func() {
		_, _ = io.Copy(b.client, io.LimitReader(endless{}, size))
		_ = b.client.(closeWriter).CloseWrite()
	}()
	total := 0
	for buffer := make([]byte, 1<<20); ; {
		n, err := b.target.Read(buffer)
		total += n
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if total < 4<<20 {
			time.Sleep(stallCheck / 2) // what is tested is time itself
		}
	}
	if total != size {
		t.Errorf("the target got %d bytes of %d", total, size)
	}
	_ = b.target.Close()
	b.wait(t)
}

func TestTargetReset(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, nil)
		send(t, b.client, "x")
		expect(t, b.target, "x")
		reset(b.target)
		expectEnd(t, b.client)
		if len(b.failed) != 1 {
			t.Error("the failure is not told before the client has left")
		}
		_ = b.client.Close()
		if r := b.wait(t); !errors.Is(r.TargetErr, syscall.ECONNRESET) || r.ClientErr != nil {
			t.Errorf("result %+v, want the target's reset alone", r)
		}
	})
}

// TestTargetResetEndsIdleClient is a client that never says anything and never closes.
func TestTargetResetEndsIdleClient(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, nil)
		reset(b.target)
		if r := b.wait(t); r.TargetErr == nil {
			t.Errorf("result %+v, want the target's error", r)
		}
		expectEnd(t, b.client)
	})
}

// TestEarlyAnswer is a target that answers before it has read all, and closes: the client must get the whole
// answer, though the target resets.
func TestEarlyAnswer(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, nil)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = io.Copy(b.client, io.LimitReader(endless{}, 16<<20))
			_ = b.client.(closeWriter).CloseWrite()
		}()
		expect(t, b.target, "\x00")
		send(t, b.target, "413 too large")
		_ = b.target.Close() // with unread bytes, which makes it a reset
		expect(t, b.client, "413 too large")
		expectEnd(t, b.client)
		<-sent
		b.wait(t)
	})
}

// TestTargetLeavesWhileClientSends is a target that has ended its stream well and is gone.
func TestTargetLeavesWhileClientSends(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, nil)
		_ = b.target.Close()
		expectEnd(t, b.client)
		if _, err := io.Copy(b.client, endless{}); err == nil {
			t.Error("a client can write on and on to a target that is gone")
		}
		if r := b.wait(t); r.TargetErr != nil {
			t.Errorf("result %+v, want no error of a target that left", r)
		}
	})
}

func TestEndOfOpaqueConnectionIsTheEndOfBoth(t *testing.T) {
	b := start(t, "tcp", "127.0.0.1:0", nil, func(c net.Conn) net.Conn { return opaque{c} })
	send(t, b.target, "bye")
	_ = b.target.Close()
	expect(t, b.client, "bye")
	expectEnd(t, b.client)
	if r := b.wait(t); r != (Result{ToClient: 3}) {
		t.Errorf("result %+v", r)
	}
}

// TestAborts ends relays at random moments from either side; the test's main function finds what leaks.
func TestAborts(t *testing.T) {
	for range 200 {
		b := kinds["tcp"](t, bytes.Repeat([]byte("early"), rand.IntN(1000)))
		ends := []net.Conn{b.client, b.target}
		go func() { _, _ = io.Copy(b.client, io.LimitReader(endless{}, 1<<16+rand.Int64N(1<<20))) }()
		go func() { _, _ = io.Copy(b.target, io.LimitReader(endless{}, 1<<16+rand.Int64N(1<<20))) }()
		_, _ = io.CopyN(io.Discard, ends[rand.IntN(2)], rand.Int64N(1<<16))
		first := rand.IntN(2)
		if rand.IntN(2) == 0 {
			reset(ends[first])
		} else {
			_ = ends[first].Close()
		}
		_ = ends[1-first].Close()
		b.wait(t)
	}
}
