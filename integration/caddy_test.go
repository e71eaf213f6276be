package integration

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// balancerProcess is a running instance of the binary.
type balancerProcess struct {
	cmd     *exec.Cmd
	admin   *http.Client // for Caddy's admin API, whatever the host in the URL
	socket  string       // of the admin API
	logPath string
	exited  chan struct{} // closed when the process has ended
}

// trouble is what no log may ever contain.
var trouble = regexp.MustCompile(`DATA RACE|panic|fatal error|goroutine \d+ \[`)

// startCaddy runs the binary with a config, which is a Caddyfile or JSON, and waits until it serves.
// The end of the test ends it, and fails if it did not go in peace.
func startCaddy(t testing.TB, config string) *balancerProcess {
	t.Helper()
	path, adapter := writeConfig(t, config)
	return startWith(t, path, adapter)
}

// startWith is startCaddy for a config file that needs an adapter of its own.
func startWith(t testing.TB, path, adapter string) *balancerProcess {
	t.Helper()
	socket := adminSocket(t)
	p := launch(t, "CADDY_ADMIN=unix/"+socket, "run", "--config", path, "--adapter", adapter)
	p.admin, p.socket = adminClient(socket), socket
	t.Cleanup(func() { p.end(t) })
	return p
}

// launch starts a command of the binary that serves, and waits until it does. Ending it is the caller's.
func launch(t testing.TB, admin string, args ...string) *balancerProcess {
	t.Helper()
	return launchAs(t, func(*exec.Cmd) {}, admin, args...)
}

// launchAs is launch with a command that the caller changes.
func launchAs(t testing.TB, change func(*exec.Cmd), admin string, args ...string) *balancerProcess {
	t.Helper()
	pingback, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pingback.Close()

	p := &balancerProcess{exited: make(chan struct{}), logPath: filepath.Join(t.TempDir(), "log")}
	p.cmd = caddyCommand(t, append(args, "--pingback", pingback.Addr().String())...)
	p.cmd.Env = append(p.cmd.Env, admin)
	change(p.cmd)
	p.cmd.Stdin = strings.NewReader("ready")
	logFile, err := os.Create(p.logPath)
	if err != nil {
		t.Fatal(err)
	}
	defer logFile.Close()
	p.cmd.Stdout, p.cmd.Stderr = logFile, logFile
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.wait()
	if err := p.ready(pingback.(*net.TCPListener)); err != nil {
		_ = p.cmd.Process.Kill()
		t.Fatalf("starting caddy: %v\n%s", err, p.Log())
	}
	return p
}

// writeConfig puts a config into a file and tells which adapter reads it.
func writeConfig(t testing.TB, config string) (path, adapter string) {
	t.Helper()
	path, adapter = filepath.Join(t.TempDir(), "Caddyfile"), "caddyfile"
	if json.Valid([]byte(config)) {
		path, adapter = filepath.Join(t.TempDir(), "config.json"), ""
	}
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	return path, adapter
}

// caddyCommand makes a command of the binary that leaves the user's own folders alone.
func caddyCommand(t testing.TB, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(program, args...)
	home := t.TempDir()
	cmd.Dir = home
	cmd.Env = append(os.Environ(), "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+home, "LOOPBACK=127.0.0.1",
		"GORACE=atexit_sleep_ms=0") // else each process that the race detector watches takes a second to end
	return cmd
}

// adminSocket returns a path for the admin API. It is a Unix socket because Caddy hands that over from
// config to config, while its TCP socket is replaced at each reload and resets who comes at that
// moment. Not in the test's own folder, whose name can be too long for a socket.
func adminSocket(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "caddy-admin-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "socket")
}

func adminClient(socket string) *http.Client {
	var dialer net.Dialer
	return &http.Client{Transport: untilServed{&http.Transport{
		DisableKeepAlives: true, // an idle connection would be one of those that tests count
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		},
	}}}
}

// untilServed sends a request a second time if the connection was closed without an answer. The admin endpoint that a reload replaces may still take a
// connection, and then closes it without a look at the request.
type untilServed struct{ http.RoundTripper }

func (a untilServed) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := a.RoundTripper.RoundTrip(r)
	if !errors.Is(err, io.EOF) {
		return response, err
	}
	again := r.Clone(r.Context())
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	return a.RoundTripper.RoundTrip(again)
}

func (p *balancerProcess) wait() {
	_ = p.cmd.Wait()
	close(p.exited)
}

// hasEnded reports whether the process is gone.
func (p *balancerProcess) hasEnded() bool {
	select {
	case <-p.exited:
		return true
	default:
		return false
	}
}

// ready waits for the call that caddy makes to the pingback address once its config is running.
func (p *balancerProcess) ready(pingback *net.TCPListener) error {
	called := make(chan error, 1)
	go func() {
		_ = pingback.SetDeadline(time.Now().Add(2 * patience))
		conn, err := pingback.Accept()
		if err == nil {
			conn.Close()
		}
		called <- err
	}()
	select {
	case err := <-called:
		return err
	case <-p.exited:
		return fmt.Errorf("it has ended: %v", p.cmd.ProcessState)
	}
}

// end stops the process and looks at what it leaves behind. Its log is shown only if the test failed.
func (p *balancerProcess) end(t testing.TB) {
	t.Helper()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.exited:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("caddy ended with %v", p.cmd.ProcessState)
		}
	case <-time.After(patience):
		t.Error("caddy did not end on SIGTERM")
		_ = p.cmd.Process.Kill()
		<-p.exited
	}
	log := p.Log()
	if found := trouble.FindString(log); found != "" {
		t.Errorf("the log contains %q", found)
	}
	if t.Failed() {
		t.Logf("the end of caddy's log:\n%s", log[max(0, len(log)-100*kiB):])
	}
}

// Log returns what the process has logged so far.
func (p *balancerProcess) Log() string {
	log, err := os.ReadFile(p.logPath)
	if err != nil {
		return err.Error()
	}
	return string(log)
}
