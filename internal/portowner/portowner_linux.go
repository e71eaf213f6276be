package portowner

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Other returns another process whose socket gets connections that a socket bound to the address would get, too. It
// returns nil if the system knows of none. A socket for `::` gets IPv4 connections as well unless v6only is set.
func Other(address netip.AddrPort, v6only bool) *Process {
	address = netip.AddrPortFrom(address.Addr().Unmap().WithZone(""), address.Port())
	overlapping := slices.DeleteFunc(listening(), func(s socket) bool { return !s.overlaps(address, v6only) })
	if len(overlapping) == 0 {
		return nil
	}
	own := socketsOf("self")
	isOwn := func(s socket) bool { return own[s.inode] }
	present := slices.ContainsFunc(overlapping, isOwn)
	for _, s := range slices.DeleteFunc(overlapping, isOwn) {
		// The system does not list which sockets for `::` are for IPv6 alone, but refuses to bind where they are not.
		if address.Addr().Is4() && s.address.Addr().Is6() && (present || !isTaken(address)) {
			continue
		}
		return owner(s.inode)
	}
	return nil
}

// A socket is a listening TCP socket.
type socket struct {
	address netip.AddrPort
	inode   string
}

// listening returns all listening TCP sockets of this network namespace.
func listening() (sockets []socket) {
	for _, table := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		file, err := os.Open(table)
		if err != nil {
			continue // a system without IPv6 has no table of it
		}
		lines := bufio.NewScanner(file)
		lines.Scan() // skips the titles
		for lines.Scan() {
			s, ok := parseLine(lines.Text())
			if !ok {
				break // listening sockets come first; there may be a million others
			}
			sockets = append(sockets, s)
		}
		_ = file.Close()
	}
	return sockets
}

// listens is how the tables write the state of a listening socket.
const listens = "0A"

// parseLine reads a line of a table. It returns false if the line does not describe a listening socket.
func parseLine(line string) (s socket, ok bool) {
	const local, state, inode = 1, 3, 9
	fields := strings.Fields(line)
	if len(fields) <= inode || fields[state] != listens {
		return s, false
	}
	host, port, _ := strings.Cut(fields[local], ":")
	raw, err := hex.DecodeString(host)
	if err != nil || len(raw)%4 != 0 {
		return s, false
	}
	for i := 0; i < len(raw); i += 4 { // each word is written as a number in the machine's byte order
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	ip, ok := netip.AddrFromSlice(raw)
	number, err := strconv.ParseUint(port, 16, 16)
	return socket{netip.AddrPortFrom(ip.Unmap(), uint16(number)), fields[inode]}, ok && err == nil
}

// overlaps reports whether the socket may get connections to the address.
func (s socket) overlaps(address netip.AddrPort, v6only bool) bool {
	a, b := s.address.Addr(), address.Addr()
	switch {
	case s.address.Port() != address.Port():
		return false
	case a.Is4() == b.Is4():
		return a == b || a.IsUnspecified() || b.IsUnspecified()
	case b.Is6():
		return b.IsUnspecified() && !v6only
	}
	return a.IsUnspecified()
}

// isTaken reports whether a socket that does not share its address cannot be bound to it.
func isTaken(address netip.AddrPort) bool {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	// Old connections in the state TIME_WAIT must not count.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	err = unix.Bind(fd, &unix.SockaddrInet4{Addr: address.Addr().As4(), Port: int(address.Port())})
	return errors.Is(err, unix.EADDRINUSE)
}

// owner returns the process that holds the socket with the inode, or one without PID if this process may not know it.
func owner(inode string) *Process {
	entries, _ := os.ReadDir("/proc")
	pids := make([]int, 0, len(entries))
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids) // a parent comes before the children that have inherited the socket
	for _, pid := range pids {
		if !socketsOf(strconv.Itoa(pid))[inode] {
			continue
		}
		name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		if err == nil {
			return &Process{PID: pid, Name: strings.TrimSpace(string(name))}
		}
	}
	return new(Process)
}

// socketsOf returns the inodes of a process's sockets, or none if this process may not know them.
func socketsOf(pid string) map[string]bool {
	folder := filepath.Join("/proc", pid, "fd")
	entries, _ := os.ReadDir(folder)
	inodes := make(map[string]bool)
	for _, entry := range entries {
		link, _ := os.Readlink(filepath.Join(folder, entry.Name()))
		if inode, isSocket := strings.CutPrefix(link, "socket:["); isSocket {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	return inodes
}

const (
	// lockTimeout bounds how long another process that holds the lock can keep this one waiting.
	lockTimeout  = 2 * time.Second
	lockInterval = time.Millisecond
)

// Lock waits until no other process holds the lock of the port, and holds it until unlock is called or this process ends.
// Without it, two processes that ask Other at the same moment would both find the port free and then share it. Like the
// ports, the locks of two network namespaces are different ones. Lock waits for at most two seconds, after which the
// process goes on without the lock.
func Lock(port uint16) (unlock func()) {
	name := &unix.SockaddrUnix{Name: fmt.Sprintf("@caddy-sticky/port/%d", port)}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return func() {}
	}
	deadline := time.Now().Add(lockTimeout)
	for err = unix.Bind(fd, name); errors.Is(err, unix.EADDRINUSE) && time.Now().Before(deadline); err = unix.Bind(fd, name) {
		time.Sleep(lockInterval)
	}
	return func() { _ = unix.Close(fd) }
}
