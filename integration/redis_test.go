package integration

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A redis is a process of redis-server or redis-sentinel.
type redis struct {
	addr    string
	program string
	args    []string
	folder  string
	cmd     *exec.Cmd
}

// startRedis starts a redis-server that keeps nothing on disk, until the test ends.
func startRedis(t testing.TB, args ...string) *redis {
	t.Helper()
	return startRedisProgram(t, "redis-server", append([]string{"--save", "", "--appendonly", "no"}, args...)...)
}

func startRedisProgram(t testing.TB, program string, args ...string) *redis {
	t.Helper()
	r := &redis{addr: freeAddr(t), program: program, args: args, folder: t.TempDir()}
	r.start(t)
	t.Cleanup(func() { r.kill() })
	return r
}

// start begins the process, and waits until it answers.
func (r *redis) start(t testing.TB) {
	t.Helper()
	_, port, err := net.SplitHostPort(r.addr)
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(r.folder, "conf")
	if err := os.WriteFile(config, nil, 0o600); err != nil { // which a Sentinel writes to
		t.Fatal(err)
	}
	r.cmd = exec.Command(r.program, append([]string{config, "--port", port, "--bind", "127.0.0.1", "--dir", r.folder}, r.args...)...)
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, r.program+" answers", func() bool {
		answer := r.cli("PING")
		return strings.Contains(answer, "PONG") || strings.Contains(answer, "NOAUTH")
	})
}

// cli returns what is answered to a command.
func (r *redis) cli(command ...string) string {
	_, port, _ := net.SplitHostPort(r.addr)
	out, _ := exec.Command("redis-cli", append([]string{"-p", port}, command...)...).CombinedOutput()
	return strings.TrimSpace(string(out))
}

// clients returns how many clients have sessions in the store.
func (r *redis) clients() int { return len(strings.Fields(r.cli("KEYS", "*}127.*"))) }

// kill ends the process without a farewell, also one that is stopped.
func (r *redis) kill() {
	_ = r.cmd.Process.Kill()
	_ = r.cmd.Wait()
}

func (r *redis) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// storeTimeout is long enough for a machine that is busy with other tests.
const storeTimeout = 500 * time.Millisecond

// A cluster is two nodes that would place clients differently and share their sessions.
type cluster struct {
	first, second             *balancerProcess
	firstListen, secondListen string
}

// startCluster starts two nodes with the same lines, and a placement each.
func startCluster(t testing.TB, lines string, targets ...*target) *cluster {
	t.Helper()
	c := &cluster{firstListen: freeAddr(t), secondListen: freeAddr(t)}
	c.first = startCaddy(t, nodeConfig(c.firstListen, "legacy", lines, targets...))
	c.second = startCaddy(t, nodeConfig(c.secondListen, "rendezvous", lines, targets...))
	return c
}

func nodeConfig(listen, placement, lines string, targets ...*target) string {
	if strings.Contains(lines, "session_store") {
		lines += fmt.Sprintf("\nstore_timeout %v", storeTimeout)
	}
	return balance("seamless/"+listen, fmt.Sprintf("session_expiry 1h\nplacement %s\n%s", placement, lines), targets...)
}

// storeAt is the line for a redis.
func storeAt(r *redis) string { return "session_store redis " + r.addr }

// works reports whether both nodes use the store.
func (c *cluster) works(t testing.TB) bool {
	t.Helper()
	for _, p := range []*balancerProcess{c.first, c.second} {
		if p.value(t, `store_up{pool="default"}`) != 1 {
			return false
		}
	}
	return true
}
