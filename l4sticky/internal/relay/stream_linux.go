package relay

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// stream carries bytes from src until it ends or reading or writing fails. A socket is read only when it is
// readable, so that an idle connection holds no buffer.
func stream(write func([]byte) (int, error), src net.Conn) (n int64, readErr, writeErr error) {
	in := plainSocket(src)
	if in == nil {
		return copyBuffered(write, src)
	}
	var (
		buffer *[largeSize]byte
		got    int
		err    error
	)
	read := func(fd uintptr) bool {
		buffer = largeBuffers.Get().(*[largeSize]byte)
		got, err = ignoringEINTR(func() (int, error) { return unix.Read(int(fd), buffer[:]) })
		if err == unix.EAGAIN {
			largeBuffers.Put(buffer)
			return false
		}
		return true
	}
	for {
		buffer = nil
		waitErr := in.Read(read)
		if waitErr == nil && err == nil && got > 0 {
			var put int
			put, writeErr = write(buffer[:got])
			n += int64(put)
		}
		if buffer != nil && waitErr == nil {
			largeBuffers.Put(buffer)
		}
		switch {
		case waitErr != nil:
			return n, waitErr, nil
		case err != nil:
			return n, os.NewSyscallError("read", err), nil
		case got == 0, writeErr != nil:
			return n, nil, writeErr
		}
	}
}

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}
