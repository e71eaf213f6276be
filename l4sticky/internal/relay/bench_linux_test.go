package relay

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/listen"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// BenchmarkMessage is 64 bytes through a loop to the target, and 64 bytes back.
func BenchmarkMessage(b *testing.B) {
	ln := conntest.Listen(b)
	client, down := conntest.Connected(b, "tcp", "127.0.0.1:0")
	defer client.Close()
	picker := &fakePicker{line: ignored{}, targets: []search.Target{at(ln)}, lost: make(chan error, 1)}
	if taken, err := Go(down, nil, 0, picker, patient(), nil); !taken || err != nil {
		b.Fatal(taken, err)
	}
	_ = down.Close()
	target, err := ln.Accept()
	if err != nil {
		b.Fatal(err)
	}
	defer target.Close()
	message := make([]byte, 64)
	b.ReportAllocs()
	for b.Loop() {
		for _, way := range [][2]net.Conn{{client, target}, {target, client}} {
			if _, err := way[0].Write(message); err != nil {
				b.Fatal(err)
			}
			if _, err := io.ReadFull(way[1], message); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// doneLine is a line that tells of its end.
type doneLine chan flow.Result

func (doneLine) Counters() *flow.Counters { return nil }
func (doneLine) TargetFailed()            {}
func (e doneLine) Done(r flow.Result)     { e <- r }

// BenchmarkHandOff is a client's connection from the hand-over to its end: a dial to a target that closes at once. What
// it takes to make the client's connection is not counted.
func BenchmarkHandOff(b *testing.B) {
	ln := conntest.Listen(b)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_ = conn.Close()
		}
	}()
	options, done, lost := patient(), make(doneLine, 1), make(chan error, 1)
	door, err := listen.Listen(b.Context(), "127.0.0.1:0", net.ListenConfig{}, func(ctx context.Context, config net.ListenConfig) (net.Listener, error) {
		return config.Listen(ctx, "tcp", "127.0.0.1:0")
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	defer door.Close()
	conns := make(chan net.Conn, 1)
	go func() { // as layer4 does: an Accept always waits
		defer close(conns)
		for {
			conn, err := door.Accept()
			if err != nil {
				return
			}
			conns <- conn
		}
	}()
	b.ReportAllocs()
	b.StopTimer()
	for range b.N {
		client, err := net.Dial("tcp", door.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		down := <-conns
		_ = client.(*net.TCPConn).CloseWrite()
		picker := &fakePicker{line: done, targets: []search.Target{at(ln)}, lost: lost}
		b.StartTimer()
		if taken, err := Go(down, nil, 0, picker, options, nil); !taken || err != nil {
			b.Fatal(taken, err)
		}
		<-done
		b.StopTimer()
		_ = client.Close()
	}
}
