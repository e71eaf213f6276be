package eventloop

import (
	"slices"

	"golang.org/x/sys/unix"
)

// WatchListening has the loop call an acceptor when connections wait in its listening socket. It is called by the loop,
// and returns EEXIST if that is so already.
func (l *Loop) WatchListening(fd int32, a Acceptor) unix.Errno {
	slot := slices.Index(l.acceptors, a)
	if slot < 0 {
		slot = slices.Index(l.acceptors, nil)
	}
	if slot < 0 {
		slot = len(l.acceptors)
		l.acceptors = append(l.acceptors, nil)
	}
	l.acceptors[slot] = a
	event := unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(slot<<ownerBits) | ofAcceptor}
	return control(l.epoll, unix.EPOLL_CTL_ADD, fd, &event)
}

// UnwatchListening ends WatchListening while the socket stays open. It is called by the loop.
func (l *Loop) UnwatchListening(fd int32) {
	control(l.epoll, unix.EPOLL_CTL_DEL, fd, new(unix.EpollEvent))
}

// ForgetListening drops an acceptor whose socket is closed. It is called by the loop.
func (l *Loop) ForgetListening(a Acceptor) {
	if slot := slices.Index(l.acceptors, a); slot >= 0 {
		l.acceptors[slot] = nil
	}
}
