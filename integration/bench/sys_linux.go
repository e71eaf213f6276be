package main

import (
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls in this file go straight to the kernel, without the scheduler's bookkeeping of package syscall: client
// and target are loops on one thread, with nothing else to run while a call takes its time, and what they
// cost is the measure of the balancers. They return 0 for the error when all went well.

// poller is an epoll instance with room for the events of one wait.
type poller struct {
	fd     int
	events [256]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	return &poller{fd: fd}, err
}

// control adds a descriptor, changes what it is watched for, or removes it. The tag comes back with its events.
func (p *poller) control(op, fd int, mask uint32, tag int32) syscall.Errno {
	event := unix.EpollEvent{Events: mask, Fd: tag}
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&event)), 0, 0)
	return errno
}

// wait returns the events that are there, after at most so many milliseconds; -1 is for ever.
func (p *poller) wait(milliseconds int) []unix.EpollEvent {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(p.fd),
		uintptr(unsafe.Pointer(&p.events[0])), uintptr(len(p.events)), uintptr(milliseconds), 0, 0)
	if errno != 0 {
		return nil // interrupted by a signal
	}
	return p.events[:n]
}

func newSocket() (int, syscall.Errno) {
	fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return int(fd), errno
}

func setOption(fd, level, option, value int) syscall.Errno {
	v := int32(value)
	_, _, errno := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&v)), 4, 0)
	return errno
}

func bind(fd int, address *unix.RawSockaddrInet4) syscall.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(address)), unix.SizeofSockaddrInet4)
	return errno
}

func connect(fd int, address *unix.RawSockaddrInet4) syscall.Errno {
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(address)), unix.SizeofSockaddrInet4)
	return errno
}

func accept(fd int) (int, syscall.Errno) {
	accepted, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int(accepted), errno
}

func send(fd int, data []byte) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

func receive(fd int, data []byte) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd),
		uintptr(unsafe.Pointer(unsafe.SliceData(data))), uintptr(len(data)), 0, 0, 0)
	return int(n), errno
}

func closeSocket(fd int) {
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

// rawAddress returns an IPv4 address in the kernel's form.
func rawAddress(ip [4]byte, port uint16) unix.RawSockaddrInet4 {
	address := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: ip}
	*(*[2]byte)(unsafe.Pointer(&address.Port)) = [2]byte{byte(port >> 8), byte(port)}
	return address
}

// parseAddress is rawAddress for host:port. Whatever is not on loopback is refused: the benchmark talks to nobody else.
func parseAddress(text string) (unix.RawSockaddrInet4, error) {
	address, err := netip.ParseAddrPort(text)
	if err == nil && !address.Addr().Is4() || !address.Addr().IsLoopback() {
		err = syscall.EADDRNOTAVAIL
	}
	if err != nil {
		return unix.RawSockaddrInet4{}, err
	}
	return rawAddress(address.Addr().As4(), address.Port()), nil
}

// fault names what ended a connection that should have gone on.
func fault(errno syscall.Errno) string {
	switch errno {
	case unix.ECONNREFUSED:
		return "refused"
	case unix.ECONNRESET, unix.EPIPE:
		return "reset"
	}
	return unix.ErrnoName(errno)
}
