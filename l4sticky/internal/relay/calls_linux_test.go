package relay

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// useCalls has system calls fail or do little until the test ends.
func useCalls(t *testing.T, change func(c *eventloop.Calls)) {
	t.Helper()
	calls := eventloop.System
	change(&calls)
	t.Cleanup(eventloop.Use(calls))
}

// TestShortWrites takes a few bytes at a time, or none for a while, in bursts as well. No byte may be lost or come twice.
func TestShortWrites(t *testing.T) {
	const size = 3 << 20
	useCalls(t, func(c *eventloop.Calls) {
		c.Send = func(fd int32, bytes []byte) (int, unix.Errno) {
			return eventloop.System.Send(fd, bytes[:min(len(bytes), 1+rand.IntN(40_000))])
		}
		c.Splice = func(from, to int32, size int) (int, unix.Errno) {
			return eventloop.System.Splice(from, to, min(size, 1+rand.IntN(300_000)))
		}
	})
	b := startLoop(t, nil, new(Options))
	sent := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(sent)
	for i, conns := range [][2]io.ReadWriter{{b.client, b.target}, {b.target, b.client}} {
		go func() { _, _ = conns[0].Write(sent) }()
		got := make([]byte, size)
		if _, err := io.ReadFull(conns[1], got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("direction %d: %v, or other bytes came than were sent", i, err)
		}
	}
	_ = b.client.Close()
	expectEnd(t, b.target)
	_ = b.target.Close()
	if r := b.wait(t); r.ToTarget != size || r.ToClient != size {
		t.Errorf("result %+v", r)
	}
}

// TestSpliceFails goes on through the buffer where splice does not work.
func TestSpliceFails(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EINVAL, unix.ENOMEM, unix.EINTR} {
		var failed atomic.Int64
		useCalls(t, func(c *eventloop.Calls) {
			c.Splice = func(int32, int32, int) (int, unix.Errno) {
				failed.Add(1)
				return 0, errno
			}
		})
		b := startLoop(t, nil, new(Options))
		const size = 8 << 20
		go func() {
			_, _ = io.CopyN(b.client, endless{}, size)
			halfClose(t, b.client)
		}()
		if n, err := io.Copy(io.Discard, b.target); err != nil || n != size {
			t.Errorf("%v: %d bytes, %v", errno, n, err)
		}
		_ = b.target.Close()
		b.wait(t)
		if failed.Load() == 0 {
			t.Errorf("%v: splice was not used", errno)
		}
	}
}

// TestNoBuffers has the system run out of memory for a socket in the middle of a connection. What is cut ends in a reset.
func TestNoBuffers(t *testing.T) {
	var fails atomic.Bool
	useCalls(t, func(c *eventloop.Calls) {
		c.Send = func(fd int32, bytes []byte) (int, unix.Errno) {
			if fails.Load() {
				return 0, unix.ENOBUFS
			}
			return eventloop.System.Send(fd, bytes)
		}
	})
	for _, way := range []string{"to the client", "to the target"} {
		fails.Store(false)
		b := startLoop(t, nil, new(Options))
		send(t, b.client, "x")
		expect(t, b.target, "x")
		fails.Store(true)
		if way == "to the client" {
			send(t, b.target, "y")
			expectReset(t, b.target)
			if r := b.wait(t); !errors.Is(r.ClientErr, unix.ENOBUFS) {
				t.Errorf("%s: result %+v", way, r)
			}
			continue
		}
		send(t, b.client, "y")
		<-b.failed
		b.failed <- struct{}{}
		_ = b.target.Close()
		_, _ = io.Copy(io.Discard, b.client)
		_ = b.client.Close()
		if r := b.wait(t); !errors.Is(r.TargetErr, unix.ENOBUFS) {
			t.Errorf("%s: result %+v", way, r)
		}
	}
}

// TestDialWaitsForDescriptor has no descriptor for a dial at first.
func TestDialWaitsForDescriptor(t *testing.T) {
	var tries atomic.Int64
	useCalls(t, func(c *eventloop.Calls) {
		c.Socket = func(to netip.AddrPort) (int32, unix.Errno) {
			if tries.Add(1) <= 2 {
				return -1, unix.EMFILE
			}
			return eventloop.System.Socket(to)
		}
	})
	client, down, picker, b := seekers(t, greeter(t, "hello"))
	mustGo(t, down, picker)
	expect(t, client, "hello")
	_ = client.Close()
	b.wait(t)
	if failed, _, _ := picker.log(); len(failed) != 0 || tries.Load() != 3 {
		t.Errorf("%d tries, failed: %v", tries.Load(), failed)
	}
}

// TestConnectFails tells the picker why.
func TestConnectFails(t *testing.T) {
	useCalls(t, func(c *eventloop.Calls) {
		c.Connect = func(int32, netip.AddrPort) unix.Errno { return unix.ENOBUFS }
	})
	client, down, picker, _ := seekers(t, search.Target(at(conntest.Listen(t))))
	mustGo(t, down, picker)
	expectEnd(t, client)
	if err := <-picker.lost; err != nil {
		t.Errorf("lost with %v", err)
	}
	if _, _, errs := picker.log(); len(errs) != 1 || !errors.Is(errs[0], unix.ENOBUFS) {
		t.Errorf("failed with %v", errs)
	}
}

// TestLostWhileStarved has a client go just when its dial could try again, with bytes at hand that could be sent. The target
// must not be dialled for nothing.
func TestLostWhileStarved(t *testing.T) {
	var tries atomic.Int64
	useCalls(t, func(c *eventloop.Calls) {
		c.Socket = func(to netip.AddrPort) (int32, unix.Errno) {
			if tries.Add(1) == 1 {
				return -1, unix.EMFILE
			}
			return eventloop.System.Socket(to)
		}
	})
	ln := conntest.Listen(t)
	client, down, picker, _ := seekers(t, at(ln))
	if taken, err := Go(down, []byte("early"), 0, picker, patient(), nil); !taken || err != nil {
		t.Fatalf("taken %v, %v", taken, err)
	}
	_ = down.Close()
	for tries.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	release := holdLoop(t)
	time.Sleep(2 * eventloop.ShortagePause) // until the dial is to try again, which is what is tested
	reset(client)
	release()
	if err := <-picker.lost; !errors.Is(err, search.ErrClientLeft) {
		t.Errorf("lost with %v", err)
	}
	if _, dropped, _ := picker.log(); len(dropped) != 1 {
		t.Errorf("%d dials were dropped, want the one", len(dropped))
	}
	_ = ln.(*net.TCPListener).SetDeadline(time.Now().Add(100 * time.Millisecond))
	if conn, err := ln.Accept(); err == nil {
		_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := io.ReadAll(conn); err != nil {
			t.Errorf("the target has a connection that does not end: %v", err)
		}
	}
}
