//go:build unix

package legacy

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	caddycmd "github.com/caddyserver/caddy/v2/cmd"

	"github.com/caddy-sticky/caddy-sticky/internal/freeport"
)

// The tests run this very binary as caddy: asCaddy in the environment says so, and defaultAdmin stands
// in for the admin address that is the default, which other tests may be using.
const (
	asCaddy      = "LEGACY_TEST_AS_CADDY"
	defaultAdmin = "LEGACY_TEST_DEFAULT_ADMIN"
)

func TestMain(m *testing.M) {
	if os.Getenv(asCaddy) != "" {
		if os.Getenv("CADDY_ADMIN") == "" {
			caddy.DefaultAdminListen = os.Getenv(defaultAdmin)
		}
		caddycmd.Main()
		return
	}
	os.Exit(m.Run())
}

// box is a working folder with its own instances.
type box struct {
	*testing.T
	folder string
	admin  string
}

func newBox(t *testing.T) *box {
	t.Helper()
	folder, err := os.MkdirTemp("", "lb") // short, for the sake of socket names
	if err != nil {
		t.Fatal(err)
	}
	b := &box{T: t, folder: folder, admin: freeport.Addr(t)}
	t.Cleanup(func() {
		_ = b.command("stop").Run()
		if t.Failed() {
			log, _ := os.ReadFile(filepath.Join(folder, logName))
			t.Logf("%s:\n%s", logName, log)
		}
		_ = os.RemoveAll(folder)
	})
	return b
}

// command returns `caddy loadbalancer args` in the folder.
func (b *box) command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], append([]string{commandName}, args...)...)
	cmd.Dir = b.folder
	cmd.Env = []string{
		"GORACE=atexit_sleep_ms=0", // else each process takes a second to end
		asCaddy + "=1", defaultAdmin + "=" + b.admin, "HOME=" + b.folder,
		"XDG_DATA_HOME=" + filepath.Join(b.folder, "data"), "XDG_CONFIG_HOME=" + filepath.Join(b.folder, "config"),
	}
	return cmd
}

// expect runs `caddy loadbalancer args` and checks its exit code and all that it prints.
func (b *box) expect(code int, pattern string, args ...string) {
	b.Helper()
	cmd := b.command(args...)
	output, err := cmd.CombinedOutput()
	got := cmd.ProcessState.ExitCode()
	if got != code || !regexp.MustCompile("^"+pattern+"$").Match(output) {
		b.Errorf("loadbalancer %v: got %d (%v) and\n%s\nexpected %d and\n%s", args, got, err, output, code, pattern)
	}
}

// config writes a config file whose target answers with a greeting, and returns its address.
func (b *box) config(name, greeting string) (address string) {
	b.Helper()
	target, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = target.Close() })
	go func() {
		for {
			conn, err := target.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, greeting)
			_ = conn.Close()
		}
	}()
	address = freeport.Addr(b.T)
	b.write(name, fmt.Sprintf(`{"sourcePort": %d, "targets": [{"host": "127.0.0.1", "port": %d}]}`,
		portOf(b.T, address), portOf(b.T, target.Addr().String())))
	return address
}

func (b *box) write(name, content string) {
	b.Helper()
	if err := os.WriteFile(filepath.Join(b.folder, name), []byte(content), 0o600); err != nil {
		b.Fatal(err)
	}
}

// served checks that the load balancer at address hands out the greeting.
func (b *box) served(address, greeting string) {
	b.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		b.Error(err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if got, err := io.ReadAll(conn); string(got) != greeting {
		b.Errorf("got %q, expected %q (%v)", got, greeting, err)
	}
}

// nothingLeft checks that no file of an instance is left.
func (b *box) nothingLeft() {
	b.Helper()
	entries, err := os.ReadDir(filepath.Join(b.folder, "data", "caddy", adapterName))
	if err != nil || len(entries) > 0 {
		b.Errorf("left behind: %v (%v)", entries, err)
	}
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// listens asks the admin endpoint for the address that its load balancer has.
func listens(t *testing.T, network, address string) string {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, address)
		},
	}}
	host := address
	if network == "unix" {
		host = "127.0.0.1"
	}
	response, err := client.Get("http://" + host + "/config/apps/layer4/servers/loadbalancer/listen/0")
	if err != nil {
		t.Error(err)
		return ""
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK {
		t.Errorf("%s: %s (%v)", response.Status, body, err)
	}
	return string(body)
}
