package relay

import (
	"io"
	"net"
	"sync"
)

const (
	// smallSize is what a connection holds while it waits, where waiting without a buffer is impossible.
	smallSize = 2 << 10
	largeSize = 32 << 10
)

var (
	smallBuffers = sync.Pool{New: func() any { return new([smallSize]byte) }}
	largeBuffers = sync.Pool{New: func() any { return new([largeSize]byte) }}
)

// copyBuffered carries bytes from src until it ends, for connections that can only be read with a buffer at
// hand: a small one while little comes, a large one while it is filled.
func copyBuffered(write func([]byte) (int, error), src net.Conn) (n int64, readErr, writeErr error) {
	small := smallBuffers.Get().(*[smallSize]byte)
	defer smallBuffers.Put(small)
	var large *[largeSize]byte
	defer func() {
		if large != nil {
			largeBuffers.Put(large)
		}
	}()
	for {
		buffer := small[:]
		if large != nil {
			buffer = large[:]
		}
		got, err := src.Read(buffer)
		if got > 0 {
			put, err := write(buffer[:got])
			n += int64(put)
			if err != nil {
				return n, nil, err
			}
		}
		switch {
		case err == io.EOF:
			return n, nil, nil
		case err != nil:
			return n, err, nil
		case got >= smallSize && large == nil:
			large = largeBuffers.Get().(*[largeSize]byte)
		case got < smallSize && large != nil:
			largeBuffers.Put(large)
			large = nil
		}
	}
}
