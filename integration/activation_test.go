package integration

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
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

// startActivated runs the binary with a held socket and a config, and returns when it serves.
func startActivated(t testing.TB, socket *os.File, config string) *balancerProcess {
	t.Helper()
	path, adapter := writeConfig(t, config)
	admin := adminSocket(t)
	p := &balancerProcess{exited: make(chan struct{}), logPath: filepath.Join(t.TempDir(), "log"), admin: adminClient(admin)}
	p.cmd = activated(t, socket, "run", "--config", path, "--adapter", adapter)
	p.cmd.Env = append(p.cmd.Env, "CADDY_ADMIN=unix/"+admin)
	log, err := os.Create(p.logPath)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.wait()
	t.Cleanup(func() { p.end(t) })
	return p
}

// A config on a held socket is replaced and refused like any other, and the connections that came by it are carried
// without a goroutine for each.
func TestActivated(t *testing.T) {
	for _, listen := range []string{"fd/3", "seamless/fd/3", "seamless/fdname/web"} {
		t.Run(listen, func(t *testing.T) {
			t.Parallel()
			addr, socket := heldSocket(t)
			targets := greeters(t, 2)
			caddy := startActivated(t, socket, balance(listen, "", targets[0]))
			who(t, "127.0.0.2", addr)
			before, _ := caddy.goroutines(t)
			var conns []*net.TCPConn
			for _, ip := range clientIPs(50) {
				conn, _ := hold(t, ip, addr)
				conns = append(conns, conn)
			}
			await(t, "the goroutines that accepted to end", func() bool {
				now, _ := caddy.goroutines(t)
				return now < before+len(conns)/2
			})

			taken := freeAddr(t)
			blocker, err := net.Listen("tcp", taken)
			if err != nil {
				t.Fatal(err)
			}
			defer blocker.Close()
			if err := caddy.load(balance(listen+" "+taken, "", targets[1])); err == nil {
				t.Error("an address that is taken was accepted")
			}
			for range 20 {
				if name := who(t, "127.0.0.2", addr); name != "a" {
					t.Fatal("a config that was refused serves")
				}
			}
			for i := range 4 {
				caddy.reload(t, balance(listen, "", targets[(i+1)%2]))
				if name, want := who(t, "127.0.0.2", addr), targets[(i+1)%2].name; name != want {
					t.Errorf("after a reload %s serves, want %s", name, want)
				}
			}
			// Without the socket, clients wait for a config that has it.
			caddy.reload(t, balance(freeAddr(t), "", targets[0]))
			waiting := dialFrom(t, "127.0.0.2", addr)
			caddy.reload(t, balance(listen, "", targets[0]))
			if name := mustReadLine(t, waiting); name != "a" {
				t.Errorf("%s serves who has waited", name)
			}
			for _, conn := range conns {
				mustEcho(t, conn)
			}
		})
	}
}

// Descriptors that are not what is meant are refused, with words that say so.
func TestNotActivated(t *testing.T) {
	t.Parallel()
	_, socket := heldSocket(t)
	for listen, says := range map[string]string{
		"seamless/fd/0":       `\"0\" is not the number of a descriptor, which is 3 or more`,
		"seamless/fd/web":     `\"web\" is not the number of a descriptor`,
		"seamless/fd/100":     "listening on fd/100: it is not a listening socket that this process was started with",
		"seamless/fdname/web": "this process was given no descriptors with names (LISTEN_FDNAMES and LISTEN_PID in its environment)",
	} {
		if log := mustNotStart(t, balance(listen, "", greeters(t, 1)...)); !strings.Contains(log, says) {
			t.Errorf("%s: the log does not say %q:\n%s", listen, says, log)
		}
	}
	path, adapter := writeConfig(t, balance("seamless/fdname/other", "", greeters(t, 1)...))
	output, err := activated(t, socket, "run", "--config", path, "--adapter", adapter).CombinedOutput()
	if says := `no descriptor has the name \"other\"; those that this process was given are web`; err == nil || !strings.Contains(string(output), says) {
		t.Errorf("%v: the output does not say %q:\n%s", err, says, output)
	}
}

// slowly lets every client in after a moment.
const slowly = `module.exports.run = balancer => balancer.addMiddleware('connection', (socket, next) => setTimeout(next, 20));`

// While an activator holds the socket, a restart loses no connection: neither those that wait, nor those about which
// a middleware decides, nor those that are open. With a plain fd/3 it may lose one that has just been accepted.
func TestRestartOfActivated(t *testing.T) {
	script := filepath.Join(t.TempDir(), "slowly.js")
	if err := os.WriteFile(script, []byte(slowly), 0o600); err != nil {
		t.Fatal(err)
	}
	targets := greeters(t, 2)
	handler := sticky("grace_period 10s", targets...)
	for name, config := range map[string]string{
		"seamless/fd/3":       caddyfile(server{"seamless/fd/3", handler}),
		"seamless/fdname/web": caddyfile(server{"seamless/fdname/web", handler}),
		"behind a middleware": "{\n\tlayer4 {\n\t\tseamless/fd/3 {\n@allowed middleware {\nscript " + script + "\n}\nroute @allowed {\n" +
			handler + "\n}\n}\n}\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr, socket := heldSocket(t)
			var served atomic.Int64
			var stop atomic.Bool
			var clients sync.WaitGroup
			caddy := startActivated(t, socket, config)
			for _, ip := range clientIPs(8) {
				clients.Go(func() {
					for !stop.Load() && !t.Failed() {
						if err := roundTrip(ip, addr); err != nil {
							t.Errorf("after %d were served: %v", served.Load(), err)
						}
						served.Add(1)
					}
				})
			}
			for i := 0; i < 5 && !t.Failed(); i++ {
				before := served.Load()
				await(t, "clients to be served", func() bool { return served.Load() > before+50 || t.Failed() })
				if err := caddy.cmd.Process.Signal(syscall.SIGTERM); err != nil {
					t.Error(err)
				}
				<-caddy.exited
				caddy = startActivated(t, socket, config)
			}
			stop.Store(true)
			clients.Wait()
			t.Logf("%d were served", served.Load())
		})
	}
}

// converse opens a connection, and checks that it is served until the client ends it.
func roundTrip(ip, addr string) error {
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
