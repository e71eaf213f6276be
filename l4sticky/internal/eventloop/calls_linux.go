package eventloop

import (
	"net"
	"net/netip"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Calls are the system calls that a loop and its tasks make again and again. Another backend than epoll, or a test, can
// put others in their place.
type Calls struct {
	// Wait returns events as soon as there are some, or none after some milliseconds.
	Wait func(epoll int32, events []unix.EpollEvent, milliseconds int) int
	// Accept returns the next connection that waits in a listening socket, and where it comes from.
	Accept func(fd int32) (int32, netip.AddrPort, unix.Errno)
	// Socket opens a TCP socket for an address.
	Socket func(to netip.AddrPort) (int32, unix.Errno)
	// Connect begins to connect a socket.
	Connect func(fd int32, to netip.AddrPort) unix.Errno
	// Recv receives what has come. Nothing without an error is the end of the stream.
	Recv func(fd int32, buffer []byte) (int, unix.Errno)
	// Send sends bytes, or as many of them as the socket takes now.
	Send func(fd int32, bytes []byte) (int, unix.Errno)
	// Splice moves bytes between a socket and a pipe.
	Splice func(from, to int32, size int) (int, unix.Errno)
	Close  func(fd int32)
}

// System are the calls of the operating system.
var System = Calls{
	Wait: wait, Accept: accept, Socket: openSocket, Connect: connect,
	Recv: Recv, Send: send, Splice: splice, Close: Close,
}

// The calls below never block, since all descriptors of a loop are nonblocking. They go past the scheduler, which
// would otherwise take its precautions at each of them. EINTR is not looked for where such a call does not wait.

// Recv receives what has come. Nothing without an error is the end of the stream.
func Recv(fd int32, buffer []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(buffer))), uintptr(len(buffer)), 0, 0, 0)
	return int(n), errno
}

// send sends bytes, or as many of them as the socket takes now.
func send(fd int32, bytes []byte) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(bytes))), uintptr(len(bytes)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), errno
}

func splice(from, to int32, size int) (int, unix.Errno) {
	n, _, errno := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(size), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return int(n), errno
}

// Close closes a descriptor.
func Close(fd int32) {
	_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

// Shutdown ends the direction that is written to.
func Shutdown(fd int32) {
	_, _, _ = unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
}

// SocketError takes the error that a socket has met.
func SocketError(fd int32) unix.Errno {
	var value int32
	size := uint32(unsafe.Sizeof(value))
	_, _, errno := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_ERROR, uintptr(unsafe.Pointer(&value)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return errno
	}
	return unix.Errno(value)
}

// Unacknowledged returns how many bytes are on the way to the other side.
func Unacknowledged(fd int32) int {
	var value int32
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&value)))
	if errno != 0 {
		return 0
	}
	return int(value)
}

func control(epoll int32, operation int, fd int32, event *unix.EpollEvent) unix.Errno {
	_, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(epoll), uintptr(operation), uintptr(fd), uintptr(unsafe.Pointer(event)), 0, 0)
	return errno
}

// wait returns events as soon as there are some, or none after some milliseconds. It keeps the processor meanwhile.
func wait(epoll int32, events []unix.EpollEvent, milliseconds int) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(milliseconds), 0, 0)
	if errno != 0 {
		return 0 // interrupted
	}
	return int(n)
}

// accept returns the next connection that waits in a listening socket, and where it comes from.
func accept(fd int32) (int32, netip.AddrPort, unix.Errno) {
	var raw unix.RawSockaddrAny
	size := uint32(unsafe.Sizeof(raw))
	n, _, errno := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	if errno != 0 {
		return -1, netip.AddrPort{}, errno
	}
	return int32(n), addrPort(&raw), 0
}

// LocalAddr returns the address of a socket's own end.
func LocalAddr(fd int32) netip.AddrPort { return addrOf(unix.SYS_GETSOCKNAME, fd) }

// RemoteAddr returns the address of a socket's other end, or none if it is not connected any more.
func RemoteAddr(fd int32) netip.AddrPort { return addrOf(unix.SYS_GETPEERNAME, fd) }

func addrOf(call uintptr, fd int32) netip.AddrPort {
	var raw unix.RawSockaddrAny
	size := uint32(unsafe.Sizeof(raw))
	_, _, errno := unix.RawSyscall(call, uintptr(fd), uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)))
	if errno != 0 {
		return netip.AddrPort{}
	}
	return addrPort(&raw)
}

// openSocket opens a TCP socket for an address.
func openSocket(to netip.AddrPort) (int32, unix.Errno) {
	family := unix.AF_INET6
	if to.Addr().Is4() {
		family = unix.AF_INET
	}
	fd, _, errno := unix.RawSyscall(unix.SYS_SOCKET, uintptr(family), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return int32(fd), errno
}

func connect(fd int32, to netip.AddrPort) unix.Errno {
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

// clock returns the monotonic time of all loops.
func clock() time.Duration { return time.Since(started) }

// CloseBoth closes two descriptors, with one call if they are neighbours.
func CloseBoth(a, b int32) {
	if a > b {
		a, b = b, a
	}
	if b == a+1 {
		if _, _, errno := unix.RawSyscall(unix.SYS_CLOSE_RANGE, uintptr(a), uintptr(b), 0); errno == 0 {
			return
		}
	}
	Close(a)
	Close(b)
}

// ReceivedEnd reports whether the peer has ended its stream, of which so many bytes were read. The end itself counts as
// one byte. After a reset, which a failed write may have told, reading ends just as well.
func ReceivedEnd(fd int32, read int64) bool {
	info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
	return err != nil || info.Bytes_received > uint64(read)
}
