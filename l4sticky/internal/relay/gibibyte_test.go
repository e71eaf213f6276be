//go:build !race

package relay

import (
	"hash/crc32"
	"io"
	"net"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// TestGibibyte carries a gibibyte each way, both at once, and compares checksums.
func TestGibibyte(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	const size = 1 << 30
	each(t, func(t *testing.T, start func(*testing.T, []byte) *bench) {
		b := start(t, nil)
		sums := make(chan [2]uint32, 4) // the way, and the checksum
		pour := func(way uint32, conn net.Conn) {
			h := crc32.NewIEEE()
			if _, err := io.CopyN(io.MultiWriter(conn, h), &counter{word: way << 31}, size); err != nil {
				t.Error(err)
			}
			halfClose(t, conn)
			sums <- [2]uint32{way, h.Sum32()}
		}
		drain := func(way uint32, conn net.Conn) {
			h := crc32.NewIEEE()
			if n, err := io.CopyBuffer(struct{ io.Writer }{h}, conn, make([]byte, 256<<10)); err != nil || n != size {
				t.Errorf("%d bytes of %d, %v", n, size, err)
			}
			sums <- [2]uint32{way, h.Sum32()}
		}
		go pour(0, b.client)
		go drain(0, b.target)
		go pour(1, b.target)
		go drain(1, b.client)
		seen := make(map[[2]uint32]int)
		for range 4 {
			seen[<-sums]++
		}
		if len(seen) != 2 {
			t.Errorf("what arrives differs from what was sent: %v", seen)
		}
		if r := b.wait(t); r != (flow.Result{ToTarget: size, ToClient: size, End: r.End}) {
			t.Errorf("result %+v", r)
		}
	})
}

// A counter is a source whose every word is different.
type counter struct{ word uint32 }

func (c *counter) Read(p []byte) (int, error) {
	n := len(p) &^ 3
	for i := 0; i < n; i += 4 {
		p[i], p[i+1], p[i+2], p[i+3] = byte(c.word), byte(c.word>>8), byte(c.word>>16), byte(c.word>>24)
		c.word++
	}
	return n, nil
}
