package portowner

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/internal/freeport"
)

// listenArg has the test binary listen on the network and the address that follow, as another process does.
const listenArg = "listen-for-portowner-test"

func TestMain(m *testing.M) {
	if len(os.Args) == 4 && os.Args[1] == listenArg {
		ln, err := listen(os.Args[2], os.Args[3])
		fmt.Println(ln.Addr(), err)
		_, _ = os.Stdin.Read(make([]byte, 1))
		return
	}
	os.Exit(m.Run())
}

// listen opens a socket that shares its port.
func listen(network, address string) (net.Listener, error) {
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if controlErr := raw.Control(func(fd uintptr) {
			err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
		}); controlErr != nil {
			return controlErr
		}
		return err
	}}
	return config.Listen(context.Background(), network, address)
}

// elsewhere listens on any port of an address in another process, and returns the port and the PID.
func elsewhere(t *testing.T, network, address string) (port uint16, pid int) {
	t.Helper()
	if host, port, _ := net.SplitHostPort(address); port == "0" {
		address = net.JoinHostPort(host, strconv.Itoa(freeport.Get(t)))
	}
	cmd := exec.Command(os.Args[0], listenArg, network, address)
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // else it takes a second to end
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	text, _, _ := strings.Cut(line, " ")
	bound, err := netip.ParseAddrPort(text)
	if err != nil {
		t.Fatal(err)
	}
	return bound.Port(), cmd.Process.Pid
}

func hasIPv6() bool {
	ln, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return false
	}
	_ = ln.Close()
	return true
}

func TestOther(t *testing.T) {
	for _, c := range []struct {
		network, address string // of the other process
		wanted           string // by this one
		v6only           bool
		found            bool
	}{
		{"tcp", "127.0.0.1:0", "127.0.0.1", false, true},
		{"tcp", "127.0.0.1:0", "::ffff:127.0.0.1", false, true},
		{"tcp", "127.0.0.1:0", "127.0.0.2", false, false},
		{"tcp", "127.0.0.1:0", "0.0.0.0", false, true},
		{"tcp", "127.0.0.1:0", "::", false, true},
		{"tcp", "127.0.0.1:0", "::", true, false},
		{"tcp", "127.0.0.1:0", "::1", false, false},
		{"tcp4", ":0", "127.0.0.1", false, true},
		{"tcp4", ":0", "0.0.0.0", false, true},
		{"tcp4", ":0", "::", false, true},
		{"tcp4", ":0", "::", true, false},
		{"tcp", ":0", "127.0.0.1", false, true},
		{"tcp", ":0", "0.0.0.0", false, true},
		{"tcp", ":0", "::1", false, true},
		{"tcp", ":0", "::", true, true},
		{"tcp6", ":0", "127.0.0.1", false, false},
		{"tcp6", ":0", "0.0.0.0", false, false},
		{"tcp6", ":0", "::1", false, true},
		{"tcp6", ":0", "::", false, true},
		{"tcp", "[::1]:0", "::1", false, true},
		{"tcp", "[::1]:0", "::", true, true},
		{"tcp", "[::1]:0", "127.0.0.1", false, false},
		{"tcp", "[::1]:0", "0.0.0.0", false, false},
	} {
		t.Run(fmt.Sprintf("%s %s for %s, %t", c.network, c.address, c.wanted, c.v6only), func(t *testing.T) {
			if !hasIPv6() {
				t.Skip("this machine has no IPv6")
			}
			port, pid := elsewhere(t, c.network, c.address)
			found := Other(netip.AddrPortFrom(netip.MustParseAddr(c.wanted), port), c.v6only)
			switch {
			case !c.found && found != nil:
				t.Errorf("found %v", found)
			case c.found && (found == nil || found.PID != pid || found.Name == ""):
				t.Errorf("found %v, want the PID %d", found, pid)
			}
		})
	}
}

// What this process has itself is nobody else's, and what both have is found beside it.
func TestOwnSockets(t *testing.T) {
	own, err := listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	port := uint16(own.Addr().(*net.TCPAddr).Port)
	for _, address := range []string{"127.0.0.1", "0.0.0.0", "::", "::1"} {
		if found := Other(netip.AddrPortFrom(netip.MustParseAddr(address), port), false); found != nil {
			t.Errorf("%s: found %v", address, found)
		}
	}
	_, pid := elsewhere(t, "tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if found := Other(netip.AddrPortFrom(netip.IPv4Unspecified(), port), false); found == nil || found.PID != pid {
		t.Errorf("found %v, want the PID %d", found, pid)
	}
}

func TestLock(t *testing.T) {
	var wait sync.WaitGroup
	var held, count atomic.Int32
	for range 20 {
		wait.Go(func() {
			unlock := Lock(1)
			defer unlock()
			if n := held.Add(1); n != 1 {
				t.Errorf("%d hold the lock", n)
			}
			count.Add(1)
			held.Add(-1)
		})
	}
	wait.Wait()
	if n := count.Load(); n != 20 {
		t.Errorf("%d have got it", n)
	}
	defer Lock(1)()
	Lock(2)() // another port is another lock
}

func TestString(t *testing.T) {
	for want, p := range map[string]Process{
		"another process":                     {Name: "x"},
		"the process with PID 12 (caddy)":     {12, "caddy"},
		`the process with PID 1 ("a\nb\x1b")`: {1, "a\nb\x1b"},
	} {
		if got := p.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
