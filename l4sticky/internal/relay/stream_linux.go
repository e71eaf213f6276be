package relay

import (
	"errors"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// burst is how many full reads in a row make a direction switch to splice.
const burst = 4

// stream carries bytes from src to dst until src ends or one of them fails. A socket is read only when
// it is readable, so that an idle connection holds no buffer; bursts between two TCP connections
// stay in the kernel. Stalled is that of writeAll.
func stream(dst, src net.Conn, stalled func(waited bool) bool) (n int64, readErr, writeErr error) {
	in := rawConn(src)
	if in == nil {
		return copyBuffered(dst, src, stalled)
	}
	c := &copier{in: in, dst: dst, stalled: stalled}
	if isTCP(src) && isTCP(dst) {
		c.out = rawConn(dst)
	}
	return c.run()
}

// copier is one direction from a socket.
type copier struct {
	in      syscall.RawConn
	dst     net.Conn
	out     syscall.RawConn // nil if the bytes must pass through a buffer
	stalled func(waited bool) bool
}

func (c *copier) run() (total int64, readErr, writeErr error) {
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
	for full := 0; ; {
		buffer = nil
		waitErr := c.in.Read(read)
		if waitErr == nil && err == nil && got > 0 {
			var put int
			put, writeErr = writeAll(c.dst, buffer[:got], c.stalled)
			total += int64(put)
		}
		if buffer != nil && waitErr == nil {
			largeBuffers.Put(buffer)
		}
		switch {
		case waitErr != nil:
			return total, waitErr, nil
		case err != nil:
			return total, os.NewSyscallError("read", err), nil
		case got == 0, writeErr != nil:
			return total, nil, writeErr
		case got < largeSize || c.out == nil:
			full = 0
		default:
			full++
		}
		if full < burst {
			continue
		}
		full = 0
		moved, end, readErr, writeErr := c.spliceBurst()
		total += moved
		if end || readErr != nil || writeErr != nil {
			return total, readErr, writeErr
		}
	}
}

// spliceBurst moves bytes within the kernel for as long as there are some to read. End means that the
// stream ended. Where there is no pipe to be had it moves nothing.
func (c *copier) spliceBurst() (total int64, end bool, readErr, writeErr error) {
	p := pipes.get()
	if p == nil {
		return 0, false, nil, nil
	}
	clean := true
	defer func() { pipes.put(p, clean) }()

	var got int
	var err error
	fill := func(fd uintptr) bool {
		got, err = splice(int(fd), p.write, p.size)
		return true
	}
	pending := 0
	drain := func(fd uintptr) bool {
		for pending > 0 {
			var put int
			if put, err = splice(p.read, int(fd), pending); err != nil {
				return err != unix.EAGAIN
			}
			pending -= put
			total += int64(put)
		}
		return true
	}
	for {
		if waitErr := c.in.Read(fill); waitErr != nil {
			return total, false, waitErr, nil
		}
		switch {
		case err == unix.EAGAIN:
			return total, false, nil, nil
		case err != nil:
			return total, false, os.NewSyscallError("splice", err), nil
		case got == 0:
			return total, true, nil, nil
		}
		pending = got
		clean = false
		waitErr := c.out.Write(drain)
		for waited := false; c.stalled != nil && errors.Is(waitErr, os.ErrDeadlineExceeded) && c.stalled(waited); waited = true {
			waitErr = c.out.Write(drain)
		}
		if waitErr != nil {
			return total, false, nil, waitErr
		}
		if err != nil {
			return total, false, nil, os.NewSyscallError("splice", err)
		}
		clean = true
	}
}

func splice(from, to, size int) (int, error) {
	return ignoringEINTR(func() (int, error) {
		n, err := unix.Splice(from, nil, to, nil, size, unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
		return int(n), err
	})
}

func ignoringEINTR(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}
