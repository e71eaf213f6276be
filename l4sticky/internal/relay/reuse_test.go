package relay

import (
	"bytes"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
)

// TestDescriptorsReused ends connections at random moments while others begin, so that descriptors and places are used
// again at once. No connection may get a byte of another.
func TestDescriptorsReused(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		var all sync.WaitGroup
		for worker := range 4 {
			all.Go(func() {
				for round := range 60 {
					mark := byte(1 + worker*60 + round)
					b := start(t, bytes.Repeat([]byte{mark}, rand.IntN(100)))
					exchange(t, b, mark)
				}
			})
		}
		all.Wait()
	})
}

// exchange has both ends send and receive bytes of one mark, until one of them goes.
func exchange(t *testing.T, b *bench, mark byte) {
	send(t, b.client, string([]byte{mark}))
	expect(t, b.target, string([]byte{mark})) // a client that leaves before there is a target has no end to wait for
	ends := []net.Conn{b.client, b.target}
	var readers sync.WaitGroup
	for _, conn := range ends {
		go func() { _, _ = conn.Write(bytes.Repeat([]byte{mark}, rand.IntN(400_000))) }()
		readers.Go(func() {
			buffer := make([]byte, 64<<10)
			for {
				n, err := conn.Read(buffer)
				if own := bytes.Count(buffer[:n], []byte{mark}); own != n {
					t.Errorf("connection %d got %d bytes of others", mark, n-own)
				}
				if err != nil {
					return
				}
			}
		})
	}
	_, _ = ends[rand.IntN(2)].Write(bytes.Repeat([]byte{mark}, rand.IntN(1000)))
	first := rand.IntN(2)
	if tcp, ok := ends[first].(*net.TCPConn); ok && rand.IntN(2) == 0 {
		reset(tcp)
	} else {
		_ = ends[first].Close()
	}
	_ = ends[1-first].Close()
	readers.Wait()
	b.wait(t)
}
