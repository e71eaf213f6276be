package relay

import (
	"sync"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
)

// burst is how many full reads in a row make a direction switch to splice.
const burst = 2

// A pending is what a direction holds: bytes that its end did not take yet, or the pipe of a burst. A direction that
// has nothing to deliver holds none.
type pending struct {
	bytes  []byte
	buffer *[eventloop.BufferSize]byte // behind the bytes, or nil if they have memory of their own
	pipe   *pipe
	piped  int // bytes in the pipe
	burst  int // bytes that went through it
}

var buffers = sync.Pool{New: func() any { return new([eventloop.BufferSize]byte) }}

// keep returns a copy of bytes in the loop's buffer.
func keep(bytes []byte) *pending {
	r := &pending{buffer: buffers.Get().(*[eventloop.BufferSize]byte)}
	r.bytes = r.buffer[:copy(r.buffer[:], bytes)]
	return r
}

func (r *pending) free() {
	if r.buffer != nil {
		buffers.Put(r.buffer)
	}
	if r.pipe != nil {
		pipes.put(r.pipe, r.piped == 0)
	}
}

// free gives back what a direction holds.
func (p *pair) free(i int) {
	if r := p.pending[i]; r != nil {
		p.pending[i] = nil
		r.free()
	}
}

// SendFirst sends what the client has said to a target that has just accepted.
func (p *pair) SendFirst(fd int32) (sent bool, targetErr, clientErr unix.Errno) {
	calls, from := p.Loop().Calls, &p.ends[client]
	if r := p.pending[up]; r != nil {
		n, errno := calls.Send(fd, r.bytes)
		if errno != 0 {
			return false, unlessFull(errno), 0
		}
		r.bytes = r.bytes[n:]
		p.moved(up, n)
		return true, 0, 0
	}
	if from.State&eventloop.Readable == 0 {
		return false, 0, 0
	}
	buffer := p.Loop().Buffer()[:]
	n, errno := calls.Recv(from.FD, buffer)
	switch {
	case errno == unix.EAGAIN:
		from.State &^= eventloop.Readable
		return false, 0, 0
	case errno != 0: // which is told once
		return false, 0, errno
	case n == 0:
		return false, 0, 0 // it is read again when there is a target
	}
	p.flow.Bind()
	if n < len(buffer) && from.State&(eventloop.HungUp|eventloop.Broken) == 0 {
		from.State &^= eventloop.Readable
	}
	put, errno := calls.Send(fd, buffer[:n])
	if errno != 0 {
		put = 0
	}
	if put < n {
		p.pending[up] = keep(buffer[put:n])
	}
	if errno == 0 {
		p.moved(up, put)
	}
	return errno == 0, unlessFull(errno), 0
}

// unlessFull returns the error of a send, unless it is that the socket takes no bytes now.
func unlessFull(errno unix.Errno) unix.Errno {
	if errno == unix.EAGAIN {
		return 0
	}
	return errno
}

// noteFull counts reads that filled the buffer.
func (p *pair) noteFull(i int, full bool) {
	switch {
	case !full:
		p.full[i] = 0
	case p.full[i] < burst:
		p.full[i]++
	}
}

// splice starts a burst, once reads have kept filling the buffer. Where no pipe is to be had, the bytes go on through the
// buffer.
func (p *pair) splice(i int) bool {
	if p.full[i] < burst || i == up && p.flow.Discards() {
		return false
	}
	pipe := pipes.get(p.Loop().Now())
	if pipe == nil {
		p.full[i] = 0
		return false
	}
	p.pending[i] = &pending{pipe: pipe}
	return true
}

// flush delivers what a direction holds, and reports whether more may be read.
func (p *pair) flush(i int) bool {
	calls, dst, r := p.Loop().Calls, &p.ends[1-i], p.pending[i]
	for dst.State&eventloop.Blocked == 0 {
		if len(r.bytes) == 0 && r.piped == 0 {
			if r.pipe == nil {
				p.free(i)
			}
			return true
		}
		var n int
		var errno unix.Errno
		if r.piped > 0 {
			n, errno = calls.Splice(int32(r.pipe.read), dst.FD, r.piped)
		} else {
			n, errno = calls.Send(dst.FD, r.bytes)
		}
		switch {
		case errno == unix.EAGAIN:
			p.Block(1-i, dst)
		case errno != 0:
			p.writeFailed(i, errno)
			return false
		case r.piped > 0:
			r.piped -= n
			p.moved(i, n)
		default:
			r.bytes = r.bytes[n:]
			p.moved(i, n)
		}
	}
	return false
}

// fill takes more of a burst into its empty pipe. The burst is over when there is nothing to read. If it was a large
// one, what comes next is the start of another.
func (p *pair) fill(i int) {
	src, r := &p.ends[i], p.pending[i]
	n, errno := p.Loop().Calls.Splice(src.FD, int32(r.pipe.write), r.pipe.size)
	if errno == 0 && n > 0 {
		r.piped = n
		r.burst += n
		return
	}
	if errno == unix.EAGAIN && src.State&eventloop.Broken == 0 {
		src.State &^= eventloop.Readable
	}
	if errno != unix.EAGAIN || r.burst < burst*eventloop.BufferSize {
		p.full[i] = 0
	}
	p.free(i)
	if isEnd(errno) {
		p.readFailed(i, errno)
	}
	// Whatever else it is, or if it is the end of the stream, the next read tells.
}

// isEnd reports whether a failed splice tells of the end of the connection. It is told once: after that, the
// stream seems to end well.
func isEnd(errno unix.Errno) bool {
	switch errno {
	case 0, unix.EAGAIN, unix.EINTR, unix.EINVAL, unix.ENOMEM:
		return false
	}
	return true
}
