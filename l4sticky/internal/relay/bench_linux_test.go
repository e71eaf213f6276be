package relay

import (
	"io"
	"net"
	"testing"
)

// BenchmarkMessage is 64 bytes through a loop to the target, and 64 bytes back.
func BenchmarkMessage(b *testing.B) {
	ln := listen(b)
	client, down := connected(b, "tcp", "127.0.0.1:0")
	defer client.Close()
	route := &fakeRoute{line: ignored{}, targets: []Target{at(ln)}, lost: make(chan error, 1)}
	if taken, err := Go(down, nil, route, patient(), nil); !taken || err != nil {
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
type doneLine chan Result

func (doneLine) TargetFailed()   {}
func (e doneLine) Done(r Result) { e <- r }

// BenchmarkHandOff is a client's connection from the hand-over to its end: a dial to a target that closes at once. What
// it takes to make the client's connection is not counted.
func BenchmarkHandOff(b *testing.B) {
	ln := listen(b)
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
	door, err := Listen(b.Context(), "127.0.0.1:0", net.ListenConfig{}, opens("127.0.0.1:0"), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer door.Close()
	conns := serve(door)
	b.ReportAllocs()
	b.StopTimer()
	for range b.N {
		client, err := net.Dial("tcp", door.Addr().String())
		if err != nil {
			b.Fatal(err)
		}
		down := <-conns
		_ = client.(*net.TCPConn).CloseWrite()
		route := &fakeRoute{line: done, targets: []Target{at(ln)}, lost: lost}
		b.StartTimer()
		if taken, err := Go(down, nil, route, options, nil); !taken || err != nil {
			b.Fatal(taken, err)
		}
		<-done
		b.StopTimer()
		_ = client.Close()
	}
}
