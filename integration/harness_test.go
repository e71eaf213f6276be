// Package integration holds the black-box tests: they build the real binary with the race detector,
// start it on free ports and look at it through sockets only.
package integration

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/freeport"
)

// patience is how long a test waits for something that should happen at once, before it fails. It is
// long because two cores may have a race-detected binary, Node and a compiler to run.
const patience = 15 * time.Second

// sideBySide is how many tests run side by side for each processor.
const sideBySide = 2

// program is the path of the program under test.
var program string

func TestMain(m *testing.M) {
	flag.Parse()
	// The tests wait most of the time, so more of them run side by side than there are processors.
	if side := flag.Lookup("test.parallel"); side.Value.String() == side.DefValue {
		_ = flag.Set("test.parallel", strconv.Itoa(sideBySide*runtime.GOMAXPROCS(0)))
	}
	os.Exit(run(m))
}

// run exists beside TestMain because os.Exit skips deferred calls.
func run(m *testing.M) int {
	if program = os.Getenv("CADDY_BIN"); program != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "caddy-sticky-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // some tests run it as another user
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	program = filepath.Join(dir, "caddy")
	build := exec.Command("go", "run", "./build", "-race", "-o", program)
	build.Dir = ".."
	if output, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%s\nbuilding the binary: %v\n", output, err)
		return 1
	}
	return m.Run()
}

// freePort returns a port for a server to listen on.
func freePort(t testing.TB) int {
	t.Helper()
	return freeport.Get(t)
}

// freeAddr returns an address for a server to listen on.
func freeAddr(t testing.TB) string {
	t.Helper()
	return freeport.Addr(t)
}

// freeAddr6 is freeAddr for IPv6.
func freeAddr6(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("[::1]:%d", freePort(t))
}

// clientIPs returns n source addresses, which Linux lets a client bind without further ado.
func clientIPs(n int) []string {
	ips := make([]string, 0, n)
	for i := range n {
		ips = append(ips, fmt.Sprintf("127.0.%d.%d", i/250, 2+i%250))
	}
	return ips
}

// await polls until the condition holds.
func await(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v in vain: %s", patience, what)
		}
	}
}
