package relay

import (
	"sync"

	"golang.org/x/sys/unix"
)

const (
	// bufferSize is the size of the one buffer that all reads of a loop go through.
	bufferSize = 64 << 10
	// rounds is how often in a row one direction may read before it is another pair's turn.
	rounds = 8
	// burst is how many full reads in a row make a direction switch to splice.
	burst = 2
)

// A rest is what a direction holds: bytes that its end did not take yet, or the pipe of a burst. A direction that
// has nothing to deliver holds none.
type rest struct {
	bytes  []byte
	buffer *[bufferSize]byte // behind the bytes, or nil if they have memory of their own
	pipe   *pipe
	piped  int // bytes in the pipe
	burst  int // bytes that went through it
}

var buffers = sync.Pool{New: func() any { return new([bufferSize]byte) }}

// keep returns a copy of bytes in the loop's buffer.
func keep(bytes []byte) *rest {
	r := &rest{buffer: buffers.Get().(*[bufferSize]byte)}
	r.bytes = r.buffer[:copy(r.buffer[:], bytes)]
	return r
}

func (r *rest) free() {
	if r.buffer != nil {
		buffers.Put(r.buffer)
	}
	if r.pipe != nil {
		pipes.put(r.pipe, r.piped == 0)
	}
}

// noteFull counts reads that filled the buffer.
func (f *flow) noteFull(full bool) {
	switch {
	case !full:
		f.full = 0
	case f.full < burst:
		f.full++
	}
}

// splice starts a burst, once reads have kept filling the buffer. Where no pipe is to be had, the bytes go on through the
// buffer.
func (f *flow) splice(now int64) bool {
	if f.full < burst || f.rest != nil || f.done {
		return false
	}
	p := pipes.get(now)
	if p == nil {
		f.full = 0
		return false
	}
	f.rest = &rest{pipe: p}
	return true
}

// flush delivers what a direction holds, and reports whether more may be read.
func (l *Loop) flush(p *pair, i int) bool {
	f, dst := &p.flows[i], &p.ends[1-i]
	r := f.rest
	for dst.state&blocked == 0 {
		if len(r.bytes) == 0 && r.piped == 0 {
			if r.pipe == nil {
				r.free()
				f.rest = nil
			}
			return true
		}
		var n int
		var errno unix.Errno
		if r.piped > 0 {
			n, errno = sysSplice(int32(r.pipe.read), dst.fd, r.piped)
		} else {
			n, errno = sysSend(dst.fd, r.bytes)
		}
		switch {
		case errno == unix.EAGAIN:
			l.block(p, 1-i)
		case errno != 0:
			l.writeFailed(p, i, errno)
			return false
		case r.piped > 0:
			r.piped -= n
			l.note(p, i, n)
		default:
			r.bytes = r.bytes[n:]
			l.note(p, i, n)
		}
	}
	return false
}

// fill takes more of a burst into its empty pipe. The burst is over when there is nothing to read. If it was a large
// one, what comes next is the start of another.
func (l *Loop) fill(p *pair, i int) {
	f, src := &p.flows[i], &p.ends[i]
	r := f.rest
	n, errno := sysSplice(src.fd, int32(r.pipe.write), r.pipe.size)
	if errno == 0 && n > 0 {
		r.piped = n
		r.burst += n
		return
	}
	if errno == unix.EAGAIN && src.state&broken == 0 {
		src.state &^= readable
	}
	if errno != unix.EAGAIN || r.burst < burst*bufferSize {
		f.full = 0
	}
	r.free()
	f.rest = nil
	if isEnd(errno) {
		l.readFailed(p, i, errno)
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
