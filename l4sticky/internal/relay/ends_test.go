package relay

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

func TestClientReset(t *testing.T) {
	for _, name := range []string{"loop", "tcp", "wrapped"} {
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

// TestLastWords is a client that says something after a silence and resets at once. What it said has reached
// the balancer and must reach the target.
func TestLastWords(t *testing.T) {
	t.Parallel()
	var benches []*bench
	for range 30 {
		benches = append(benches, kinds["tcp"](t, nil))
	}
	time.Sleep(stallCheck + stallCheck/5) // what is tested is time itself
	lost := 0
	for _, b := range benches {
		send(t, b.client, "last words")
		reset(b.client)
		if got, _ := io.ReadAll(b.target); string(got) != "last words" {
			lost++
		}
		b.wait(t)
	}
	if lost > 0 {
		t.Errorf("the words of %d clients of %d are lost", lost, len(benches))
	}
}

// TestResetAfterHalfClose is a client that has ended its direction and then goes.
func TestResetAfterHalfClose(t *testing.T) {
	for _, kind := range []string{"loop", "tcp", "wrapped"} {
		b := kinds[kind](t, nil)
		halfClose(t, b.client)
		expectEnd(t, b.target)
		reset(b.client)
		if r := b.wait(t); r.ClientErr == nil || r.TargetErr != nil {
			t.Errorf("result %+v, want the client's error alone", r)
		}
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
	t.Parallel()
	early := map[string]int{"wrapped": 64 << 20}
	eachAtOnce(t, resetting, func(t *testing.T, kind string) {
		b := kinds[kind](t, make([]byte, early[kind]))
		_ = b.client.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := io.Copy(b.client, endless{}); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("writing to a target that does not read: %v, want a time-out", err)
		}
		reset(b.client)
		if r := b.wait(t); r.ClientErr == nil || r.TargetErr != nil {
			t.Errorf("result %+v, want the client's error alone", r)
		}
	})
}

// TestSlowTargetIsNoReset lets a target pause for longer than a stall is looked at.
func TestSlowTargetIsNoReset(t *testing.T) {
	t.Parallel()
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
		expectReset(t, b.client)
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
	t.Parallel()
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, nil)
		send(t, b.target, "x")
		expect(t, b.client, "x")
		reset(b.target)
		if r := b.wait(t); r.TargetErr == nil {
			t.Errorf("result %+v, want the target's error", r)
		}
		expectReset(t, b.client)
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
		_, _ = io.ReadAll(b.client) // a reset, though a client that was told of it by a failed write reads an end
		<-sent
		b.wait(t)
	})
}

// TestTargetLeavesWhileClientSends is a target that has ended its stream well and is gone.
func TestTargetLeavesWhileClientSends(t *testing.T) {
	t.Parallel()
	eachAtOnce(t, slices.Collect(maps.Keys(kinds)), func(t *testing.T, kind string) {
		b := kinds[kind](t, nil)
		_ = b.target.Close()
		expectEnd(t, b.client)
		_, err := io.CopyN(b.client, endless{}, 64<<20) // as fast as it can
		for chunk := make([]byte, 1024); err == nil; time.Sleep(time.Millisecond) {
			_, err = b.client.Write(chunk)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("a client can write on and on to a target that is gone")
		}
		if r := b.wait(t); r.TargetErr != nil {
			t.Errorf("result %+v, want no error of a target that left", r)
		}
	})
}

func TestEndOfOpaqueConnectionIsTheEndOfBoth(t *testing.T) {
	b := startRun(t, "tcp", "127.0.0.1:0", nil, new(Options), func(c net.Conn) net.Conn { return opaque{c} })
	send(t, b.target, "bye")
	_ = b.target.Close()
	expect(t, b.client, "bye")
	expectEnd(t, b.client)
	if r := b.wait(t); r != (flow.Result{ToClient: 3, End: flow.TargetFirst}) {
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

// TestCutStreamArrives is a target that resets when its client has read next to nothing of what it got: that comes
// whole, and then the reset.
func TestCutStreamArrives(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, nil)
		const size = 256 << 10
		go func() { _, _ = b.target.Write(make([]byte, size)) }()
		if _, err := io.CopyN(io.Discard, b.client, size/2); err != nil {
			t.Fatal(err)
		}
		// All has left the target's socket when it has no more unacknowledged bytes.
		for unacknowledged(b.target) > 0 {
			time.Sleep(time.Millisecond)
		}
		reset(b.target)
		rest, err := io.ReadAll(b.client)
		if len(rest) != size/2 {
			t.Errorf("%d of %d bytes came before %v", size/2+len(rest), size, err)
		}
		if _, isTCP := b.client.(*net.TCPConn); isTCP && !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the end is %v, want a reset", err)
		}
		b.wait(t)
	})
}

// TestWholeStreamOfTargetThatResetsLater is a target that has ended its stream well, and is written to afterwards.
func TestWholeStreamOfTargetThatResetsLater(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		for range 20 {
			b := start(t, nil)
			go func() { _, _ = io.Copy(b.client, io.LimitReader(endless{}, 1<<20)) }()
			expect(t, b.target, "\x00")
			send(t, b.target, "the whole answer")
			halfClose(t, b.target)
			_ = b.target.Close() // with unread bytes, which makes it a reset
			if all, err := io.ReadAll(b.client); string(all) != "the whole answer" || err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Fatalf("read %q, %v", all, err)
			}
			_ = b.client.Close()
			b.wait(t)
		}
	})
}

// TestResetIsNoEnd resets at either side while both directions are at work, so that whichever of them meets the reset
// first takes the news of it away from the other.
func TestResetIsNoEnd(t *testing.T) {
	t.Parallel()
	eachAtOnce(t, resetting, func(t *testing.T, kind string) {
		for i := range 300 {
			b := kinds[kind](t, nil)
			gone, left := b.client, b.target
			if i%2 == 1 {
				gone, left = b.target, b.client
			}
			go func() { _, _ = io.Copy(left, io.LimitReader(endless{}, 1<<20)) }()
			go func() { _, _ = io.Copy(gone, io.LimitReader(endless{}, 1<<20)) }()
			read, _ := io.CopyN(io.Discard, left, rand.Int64N(1<<18))
			reset(gone)
			// Who writes there may be told of the reset, and reading ends well then.
			if n, err := io.Copy(io.Discard, left); err == nil && runtime.GOOS == "linux" && streamEnded(left, read+n) {
				t.Fatalf("run %d: a cut stream looks whole", i)
			}
			_ = left.Close()
			b.wait(t)
		}
	})
}

// TestBothReset is a client that resets just after its target has, before it has acknowledged all that there was: there
// is nothing more to wait for.
func TestBothReset(t *testing.T) {
	t.Parallel()
	eachAtOnce(t, resetting, func(t *testing.T, kind string) {
		for range 200 {
			b := kinds[kind](t, nil)
			_ = b.client.(*net.TCPConn).SetReadBuffer(4 << 10)
			send(t, b.target, string(make([]byte, 256<<10)))
			for unacknowledged(b.target) > 0 {
				time.Sleep(time.Millisecond)
			}
			reset(b.target)
			for began, pause := time.Now(), rand.N(300*time.Microsecond); time.Since(began) < pause; {
				runtime.Gosched() // a sleep would be too long
			}
			reset(b.client)
			began := time.Now()
			if b.wait(t); time.Since(began) > maxLinger/4 {
				t.Errorf("it took %v", time.Since(began))
			}
		}
	})
}
