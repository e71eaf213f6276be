package l4sticky

import (
	"io"
	"net"
	"net/netip"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/relay"
)

// openHole returns the address of a target that swallows every SYN, because its accept queue is full.
func openHole(t *testing.T) string {
	t.Helper()
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(socket) })
	if err = unix.Bind(socket, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err = unix.Listen(socket, 0); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(socket)
	if err != nil {
		t.Fatal(err)
	}
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(name.(*unix.SockaddrInet4).Port))
	for range 10 {
		filler, err := net.DialTimeout("tcp", address, 100*time.Millisecond)
		if err != nil {
			return address
		}
		t.Cleanup(func() { _ = filler.Close() })
	}
	t.Fatal("the accept queue does not fill up")
	return ""
}

// greeter returns the address of a target that greets and closes.
func greeter(t *testing.T) string {
	t.Helper()
	at, _ := greetAt(t, "127.0.0.1:0")
	return at
}

// handOver begins a connection of a client, and returns the client's end.
func handOver(t *testing.T, h *Handler, from netip.Addr) net.Conn {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	_ = client.SetDeadline(time.Now().Add(20 * time.Second))
	down, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer down.Close()
	a := h.newPicker(&net.TCPAddr{IP: from.AsSlice(), Port: 1}, nil)
	if taken, err := relay.Go(down, nil, 0, a, &h.times, nil); !taken || err != nil {
		t.Fatalf("taken %v, %v", taken, err)
	}
	return client
}

// TestLoneClientOfHole is a new client, the only one there is, whose target swallows SYNs. Neither its first
// connection nor another one beside it waits for longer than it takes to try the next target.
func TestLoneClientOfHole(t *testing.T) {
	hole := openHole(t)
	h, _, _ := newBalancer(t, hole, greeter(t))
	from := visitor
	for h.dialer.targets.Place(from, all).Address.Dial != hole {
		from = from.Next()
	}
	asked := time.Now()
	first, second := handOver(t, h, from), handOver(t, h, from)
	for _, client := range []net.Conn{first, second} {
		if got, err := io.ReadAll(client); string(got) != "hello" {
			t.Errorf("read %q, %v", got, err)
		}
	}
	if took := time.Since(asked); took > time.Duration(h.DialTimeout)/2 {
		t.Errorf("it took %v, with a failover_delay of %v", took, time.Duration(h.FailoverDelay))
	}
}
