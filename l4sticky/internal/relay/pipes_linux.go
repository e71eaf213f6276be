package relay

import (
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
)

const (
	// maxPipes is about what an unprivileged user may have at full size (pipe-user-pages-soft).
	maxPipes = 64
	pipeSize = 1 << 20
	// pipePause is after what time pipes that are not used are closed.
	pipePause = 5 * time.Second
)

// idlePipes means that there may be pipes that are not used, which will be looked for.
var idlePipes atomic.Bool

// pipes is the free list that all bursts share.
var pipes = newPipeList(maxPipes)

// A pipe is what splice needs between two sockets.
type pipe struct {
	read, write int
	size        int
}

func (p *pipe) close() {
	_ = unix.Close(p.read)
	_ = unix.Close(p.write)
	eventloop.Descriptors.Release(false)
}

// A pipeList hands out at most as many pipes as it has slots. A slot holds a free pipe, or nil for
// one that is not open.
type pipeList chan *pipe

func newPipeList(slots int) pipeList {
	l := make(pipeList, slots)
	for range slots {
		l <- nil
	}
	return l
}

// get returns an empty pipe, or nil when all are taken or the system has none.
func (l pipeList) get(now time.Duration) *pipe {
	var p *pipe
	select {
	case p = <-l:
	default:
		return nil
	}
	if p == nil {
		if p = openPipe(now); p == nil {
			l <- nil
		}
	}
	return p
}

// put takes a pipe back; one that is not empty is closed. The others are kept for the next burst, but not for long.
func (l pipeList) put(p *pipe, empty bool) {
	if !empty {
		p.close()
		p = nil
	}
	l <- p
	if p != nil && idlePipes.CompareAndSwap(false, true) {
		time.AfterFunc(pipePause, safely.Func("idle pipes", func() {
			idlePipes.Store(false)
			safely.Reach("idle pipes")
			l.closeIdle()
		}))
	}
}

// closeIdle closes the pipes that are not used.
func (l pipeList) closeIdle() {
	for range cap(l) {
		select {
		case p := <-l:
			if p != nil {
				p.close()
			}
			l <- nil
		default:
			return
		}
	}
}

func openPipe(now time.Duration) *pipe {
	if !eventloop.Descriptors.Take(now) {
		return nil
	}
	var fds [2]int
	if unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK) != nil {
		eventloop.Descriptors.Release(false)
		return nil
	}
	p := &pipe{read: fds[0], write: fds[1]}
	size, err := unix.FcntlInt(uintptr(p.write), unix.F_SETPIPE_SZ, pipeSize)
	if err != nil {
		size, err = unix.FcntlInt(uintptr(p.write), unix.F_GETPIPE_SZ, 0)
	}
	if err != nil {
		p.close()
		return nil
	}
	p.size = size
	return p
}
