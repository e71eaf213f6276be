package relay

import (
	"net"
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The calls below never block, since all descriptors of a loop are nonblocking. They go past the scheduler, which
// would otherwise take its precautions at each of them. EINTR is not looked for where such a call does not wait.

func sysRecv(fd int32, buffer []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buffer))), uintptr(len(buffer)), 0, 0, 0)
	return int(n), errno
}

func sysSend(fd int32, bytes []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(bytes))), uintptr(len(bytes)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

func sysSplice(from, to int32, size int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(size), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return int(n), errno
}

func sysClose(fd int32) {
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

func sysShutdown(fd int32) {
	_, _, _ = unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
}

func sysSetInt(fd int32, level, option int, value int32) {
	_, _, _ = unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value), 0)
}

// sysError takes the error that a socket has met.
func sysError(fd int32) unix.Errno {
	var value int32
	size := uint32(unsafe.Sizeof(value))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ERROR, uintptr(unsafe.Pointer(&value)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return unix.Errno(value)
}

// sysUnacknowledged returns how many bytes are on the way to the other side.
func sysUnacknowledged(fd int32) int {
	var value int32
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&value)))
	if errno != 0 {
		return 0
	}
	return int(value)
}

func sysControl(epoll int32, operation int, fd int32, event *unix.EpollEvent) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), uintptr(operation), uintptr(fd), uintptr(unsafe.Pointer(event)), 0, 0)
	return errno
}

// sysPoll returns events as soon as there are some, or none after some milliseconds. It keeps the processor meanwhile.
func sysPoll(epoll int32, events []unix.EpollEvent, milliseconds int) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(milliseconds), 0, 0)
	if errno != 0 {
		return 0 // interrupted
	}
	return int(n)
}

// sysAccept returns the next connection that waits in a listening socket, and where it comes from.
func sysAccept(fd int32) (int32, netip.AddrPort, unix.Errno) {
	var raw unix.RawSockaddrAny
	size := uint32(unsafe.Sizeof(raw))
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, netip.AddrPort{}, errno
	}
	return int32(n), addrPort(&raw), 0
}

// sysLocal returns the address of a socket's own end.
func sysLocal(fd int32) netip.AddrPort {
	var raw unix.RawSockaddrAny
	size := uint32(unsafe.Sizeof(raw))
	_, _, errno := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return netip.AddrPort{}
	}
	return addrPort(&raw)
}

// sysSocket opens a TCP socket for an address.
func sysSocket(to netip.AddrPort) (int32, unix.Errno) {
	family := unix.AF_INET6
	if to.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(family), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return int32(fd), errno
}

func sysConnect(fd int32, to netip.AddrPort) unix.Errno {
	if to.Addr().Is4() {
		raw := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: to.Addr().As4()}
		putPort(&raw.Port, to.Port())
		_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&raw)), unix.SizeofSockaddrInet4)
		return errno
	}
	raw := unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: to.Addr().As16(), Scope_id: zoneIndex(to.Addr().Zone())}
	putPort(&raw.Port, to.Port())
	_, _, errno := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&raw)), unix.SizeofSockaddrInet6)
	return errno
}

func addrPort(raw *unix.RawSockaddrAny) netip.AddrPort {
	switch raw.Addr.Family {
	case unix.AF_INET:
		in := (*unix.RawSockaddrInet4)(unsafe.Pointer(raw))
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), getPort(&in.Port))
	case unix.AF_INET6:
		in := (*unix.RawSockaddrInet6)(unsafe.Pointer(raw))
		addr := netip.AddrFrom16(in.Addr).Unmap()
		if in.Scope_id != 0 {
			addr = addr.WithZone(zoneName(in.Scope_id))
		}
		return netip.AddrPortFrom(addr, getPort(&in.Port))
	}
	return netip.AddrPort{}
}

// A port has its bytes in the order of the network.

func putPort(field *uint16, port uint16) {
	bytes := (*[2]byte)(unsafe.Pointer(field))
	bytes[0], bytes[1] = byte(port>>8), byte(port)
}

func getPort(field *uint16) uint16 {
	bytes := (*[2]byte)(unsafe.Pointer(field))
	return uint16(bytes[0])<<8 | uint16(bytes[1])
}

func zoneIndex(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if device, err := net.InterfaceByName(zone); err == nil {
		return uint32(device.Index)
	}
	index, _ := strconv.ParseUint(zone, 10, 32)
	return uint32(index)
}

func zoneName(index uint32) string {
	if device, err := net.InterfaceByIndex(int(index)); err == nil {
		return device.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}

var started = time.Now()

// clock returns the monotonic time in nanoseconds.
func clock() int64 { return int64(time.Since(started)) }

// noLinger makes the closing of a socket a reset.
func noLinger(fd int32) {
	linger := unix.Linger{Onoff: 1}
	_, _, _ = unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER, uintptr(unsafe.Pointer(&linger)), unsafe.Sizeof(linger), 0)
}

// closeBoth closes two descriptors, with one call if they are neighbours.
func closeBoth(a, b int32) {
	if a > b {
		a, b = b, a
	}
	if b == a+1 {
		if _, _, errno := unix.RawSyscall(unix.SYS_CLOSE_RANGE, uintptr(a), uintptr(b), 0); errno == 0 {
			return
		}
	}
	sysClose(a)
	sysClose(b)
}

// setOptions gives a socket the options of a connection that may live long. Accepted ones inherit them from the
// listening socket.
func (k *KeepAlive) setOptions(fd int32) {
	sysSetInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	sysSetInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int32(k.UserTimeout.Milliseconds()))
	if k.Idle == 0 {
		sysSetInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
		return
	}
	sysSetInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	sysSetInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, int32(k.Idle/time.Second))
	sysSetInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, int32(k.Interval/time.Second))
}

// receivedEnd reports whether the peer has ended its stream, of which so many bytes were read. The end itself counts as
// one byte. After a reset, which a failed write may have told, reading ends just as well.
func receivedEnd(fd int32, read int64) bool {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	return err != nil || info.Bytes_received > uint64(read)
}
