package integration

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// activated returns a command of the binary that is started with a listening socket as its descriptor 3, called web,
// in the way of systemd's socket activation.
func activated(t testing.TB, socket *os.File, args ...string) *exec.Cmd {
	t.Helper()
	cmd := caddyCommand(t, args...)
	cmd.Path = "/bin/sh" // only the process itself knows its PID beforehand
	cmd.Args = append([]string{"sh", "-c", `LISTEN_PID=$$ exec "$@"`, "sh", program}, args...)
	cmd.Env = append(cmd.Env, "LISTEN_FDS=1", "LISTEN_FDNAMES=web", "CADDY_ADMIN=unix/"+adminSocket(t))
	cmd.ExtraFiles = []*os.File{socket}
	return cmd
}

// heldSocket returns a listening socket that stays open, as an activator has it.
func heldSocket(t testing.TB) (addr string, socket *os.File) {
	t.Helper()
	ln, err := net.Listen("tcp", freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	if socket, err = ln.(*net.TCPListener).File(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { socket.Close() })
	return ln.Addr().String(), socket
}

// While an activator holds the socket, a restart loses no connection: neither those that wait nor those that are open.
func TestRestartOfActivated(t *testing.T) {
	for _, listen := range []string{"fd/3", "seamless/fd/3", "seamless/fdname/web"} {
		t.Run(listen, func(t *testing.T) {
			t.Parallel()
			addr, socket := heldSocket(t)
			path, adapter := writeConfig(t, balance(listen, "grace_period 10s", greeters(t, 2)...))
			start := func() *exec.Cmd {
				t.Helper()
				log, err := os.CreateTemp(t.TempDir(), "log")
				if err != nil {
					t.Fatal(err)
				}
				defer log.Close()
				cmd := activated(t, socket, "run", "--config", path, "--adapter", adapter)
				cmd.Stdout, cmd.Stderr = log, log
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				return cmd
			}

			var served atomic.Int64
			var stop atomic.Bool
			var clients sync.WaitGroup
			cmd := start()
			for _, ip := range clientIPs(8) {
				clients.Go(func() {
					for !stop.Load() {
						if err := converse(ip, addr); err != nil {
							t.Errorf("after %d were served: %v", served.Load(), err)
							return
						}
						served.Add(1)
					}
				})
			}
			for range 5 {
				before := served.Load()
				await(t, "clients to be served", func() bool { return served.Load() > before+100 || t.Failed() })
				if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
				if err := cmd.Wait(); err != nil {
					t.Errorf("it ended with %v", err)
				}
				time.Sleep(50 * time.Millisecond) // so that connections wait
				cmd = start()
			}
			stop.Store(true)
			clients.Wait()
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
			t.Logf("%d were served", served.Load())
		})
	}
}

// converse opens a connection, and checks that it is served until the client ends it.
func converse(ip, addr string) error {
	conn, err := tryDial(ip, addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := readLine(conn); err != nil {
		return fmt.Errorf("the greeting: %w", err)
	}
	text := strings.Repeat("x", 1000)
	if _, err := io.WriteString(conn, text); err != nil {
		return err
	}
	if err := conn.CloseWrite(); err != nil {
		return err
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != text {
		return fmt.Errorf("%d bytes came back: %w", len(got), err)
	}
	return nil
}
