package freeport

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// portsArg has the test program print so many ports, and keep them until its input ends.
const portsArg = "print-ports"

func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == portsArg {
		printPorts()
		return
	}
	os.Exit(m.Run())
}

// keeper is a test that never ends.
type keeper struct{ testing.TB }

func (keeper) Helper()              {}
func (keeper) Cleanup(func())       {}
func (keeper) Fatal(reasons ...any) { panic(fmt.Sprint(reasons...)) }

const each = 200

func printPorts() {
	next.Store(0)
	for range each {
		fmt.Println(Get(keeper{}))
	}
	_ = os.Stdout.Close()
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// TestProcessesShareNothing has several processes take ports from the same place on, and this one beside them.
func TestProcessesShareNothing(t *testing.T) {
	owners := make(map[string]int)
	take := func(owner int, port string) {
		if other, taken := owners[port]; taken {
			t.Fatalf("port %s is given to the processes %d and %d", port, other, owner)
		}
		owners[port] = owner
	}
	for process := range 3 {
		cmd := exec.Command(os.Args[0], portsArg)
		cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0") // else it takes a second to end
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Wait() })
		for range each {
			var port string
			if _, err := fmt.Fscanln(out, &port); err != nil {
				t.Fatal(err)
			}
			take(process, port)
		}
	}
	next.Store(0)
	for range each {
		take(-1, fmt.Sprint(Get(t)))
	}
}

// TestHeldWhileTheTestRuns gives a port back when the test ends, and not when its server stops.
func TestHeldWhileTheTestRuns(t *testing.T) {
	var port int
	t.Run("its owner", func(t *testing.T) {
		port = Get(t)
		next.Store(uint32(port - first - 1))
		if again := Get(t); again == port {
			t.Errorf("port %d is given out twice", port)
		}
	})
	next.Store(uint32(port - first - 1))
	if again := Get(t); again != port {
		t.Errorf("port %d is not given back: the next one is %d", port, again)
	}
}

// TestTaken passes over ports that a stranger listens on.
func TestTaken(t *testing.T) {
	var addr string
	t.Run("a test that is over", func(t *testing.T) { addr = Addr(t) })
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	next.Store(uint32(port - first - 1))
	if got := Get(t); got == port {
		t.Errorf("port %d is given out, where a stranger listens", got)
	}
}

// TestPortIsFreeAtOnce listens on ports as soon as they are given, while processes are started, which have a copy of each
// open descriptor for a moment.
func TestPortIsFreeAtOnce(t *testing.T) {
	var starting sync.WaitGroup
	stop := make(chan struct{})
	for range 4 {
		starting.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = exec.Command("true").Run()
				}
			}
		})
	}
	defer starting.Wait()
	defer close(stop)
	for range 2000 {
		listener, err := net.Listen("tcp", Addr(t))
		if err != nil {
			t.Fatal(err)
		}
		_ = listener.Close()
	}
}
