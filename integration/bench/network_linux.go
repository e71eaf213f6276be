package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// isolated runs f on a thread of its own in a new network namespace, which has nothing but a loopback interface: no round
// meets the sockets in TIME_WAIT that the one before left, no port is taken, and nothing can reach anybody else. Processes
// that f starts are in there too. Without the right to make one, f runs in the network as it is.
func isolated(f func() error) error {
	done := make(chan error, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine, and so do the children that f left behind.
		runtime.LockOSThread()
		if err := enterNetwork(); err != nil && !errors.Is(err, errNotAllowed) {
			done <- fmt.Errorf("making a network namespace: %w", err)
			return
		}
		done <- f()
	}()
	return <-done
}

// errNotAllowed tells that namespaces are not for this user, or not for this container.
var errNotAllowed = errors.New("no network namespaces allowed")

// enterNetwork moves the calling thread into a new network namespace.
func enterNetwork() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); errors.Is(err, unix.EPERM) {
		return errNotAllowed
	} else if err != nil {
		return err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	request.SetUint16(unix.IFF_UP)
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCSIFFLAGS, uintptr(unsafe.Pointer(request))); errno != 0 {
		return errno
	}
	for name, value := range map[string]string{
		// A balancer has one address to dial from. Its ports in TIME_WAIT must neither run out nor be cut short by a limit
		// that one balancer would meet and another would not.
		"ipv4/ip_local_port_range": "10000 65000", "ipv4/tcp_max_tw_buckets": "1000000", "core/somaxconn": "4096",
		// There is nothing to pace on loopback. With BBR, where that is the default, the length of the packets, and so the cost of
		// bulk, depends on what it takes for the bandwidth. Reno is what every kernel has and allows.
		"ipv4/tcp_congestion_control": "reno",
	} {
		if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// freeAddresses returns n addresses on which nobody listens, below the ports that outgoing connections get.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for port := 9101; port < 10000 && len(addresses) < n; port++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		listener, err := net.Listen("tcp4", ":"+strconv.Itoa(port))
		if err == nil {
			listener.Close()
			addresses = append(addresses, address)
		}
	}
	if len(addresses) < n {
		return nil, errors.New("there are too few free ports from 9101 to 9999")
	}
	return addresses, nil
}

// awaitListener waits until somebody listens on an address, or the process that should has ended.
func awaitListener(address string, p *process) error {
	to, err := parseAddress(address)
	if err != nil {
		return err
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.exited:
			return p.death()
		default:
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		errno := connect(fd, &to)
		unix.Close(fd)
		if errno == 0 {
			return nil
		}
	}
	return fmt.Errorf("waiting for %s to listen: %w", p.name, errSlow)
}
