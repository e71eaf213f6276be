package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// startNode runs a server from the node folder until the test ends. It takes a name and a port and
// says when it listens.
func startNode(t testing.TB, script, name string) *nodeServer {
	t.Helper()
	addr := freeAddr(t)
	return runNode(t, &target{name: name, addr: addr}, filepath.Join("node", script), name, strconv.Itoa(portOf(addr)))
}

// runNode runs a server in Node until the test ends, and returns when it says that it listens.
func runNode(t testing.TB, target *target, args ...string) *nodeServer {
	t.Helper()
	cmd := exec.Command("node", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("starting a server in Node: %v", err)
	}
	server := &nodeServer{target: target, cmd: cmd}
	t.Cleanup(server.kill)
	if line, err := bufio.NewReader(stdout).ReadString('\n'); !strings.HasPrefix(line, "listening") {
		_ = cmd.Wait()
		t.Fatalf("node %s said %q, %v, %s (npm ci in integration/node installs what it needs)", args[0], line, err, &stderr)
	}
	return server
}

// nodeServer is a target in a process of its own.
type nodeServer struct {
	*target
	cmd *exec.Cmd
}

func (s *nodeServer) kill() {
	if s.cmd.ProcessState == nil {
		_ = s.cmd.Process.Kill()
		_ = s.cmd.Wait()
	}
}

// Servers in Node are targets like others, also when the process is killed.
func TestNodeTargets(t *testing.T) {
	t.Parallel()
	var servers []*nodeServer
	var targets []*target
	for _, name := range []string{"a", "b", "c"} {
		servers = append(servers, startNode(t, "target.js", name))
		targets = append(targets, servers[len(servers)-1].target)
	}
	listen, ips := freeAddr(t), clientIPs(60)
	startCaddy(t, balance(listen, "", targets...))
	homes := whoEach(t, ips, listen)
	mustAgree(t, "once more", whoEach(t, ips, listen), homes)

	client := homedAt(homes, "a")[0]
	conn, _ := hold(t, client, listen)
	go pour(conn, noise(1, miB))
	got, err := digest(conn)
	if want, _ := digest(noise(1, miB)); got != want || err != nil {
		t.Errorf("the echo differs from what was sent: %v", err)
	}

	victim, _ := hold(t, client, listen)
	servers[0].kill()
	mustClose(t, victim)
	for ip, at := range whoEach(t, ips, listen) {
		if at == "a" || homes[ip] != "a" && at != homes[ip] {
			t.Errorf("%s went from %s to %s while a is dead", ip, homes[ip], at)
		}
	}
}

// A socket.io server refuses a session that another process began ("Session ID unknown"), and a client
// makes many connections: it polls first and upgrades later. So the clients' well-being shows that
// every one of them keeps to one process.
func TestSocketIO(t *testing.T) {
	var targets []*target
	for _, name := range []string{"a", "b", "c", "d"} {
		targets = append(targets, startNode(t, "server.js", name).target)
	}
	listen := freeAddr(t)
	startCaddy(t, balance(listen, "", targets...))

	const clients, addresses = 200, 100
	cmd := exec.Command("node", filepath.Join("node", "clients.js"), "http://"+listen, strconv.Itoa(clients), strconv.Itoa(addresses))
	cmd.Stderr = os.Stderr
	output, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var reports []socketIOReport
	if err := json.NewDecoder(bytes.NewReader(output)).Decode(&reports); err != nil && err != io.EOF {
		t.Fatalf("reading what the clients say: %v\n%.1000s", err, output)
	}
	if len(reports) != clients {
		t.Errorf("%d clients reported, want %d", len(reports), clients)
	}
	processOf, used := make(map[string]int), make(map[string]bool)
	for _, report := range reports {
		report.check(t)
		for _, answer := range report.Answers {
			used[answer.Server] = true
			if seen, ok := processOf[report.IP]; ok && seen != answer.PID {
				t.Errorf("%s was answered by the processes %d and %d", report.IP, seen, answer.PID)
			}
			processOf[report.IP] = answer.PID
		}
	}
	if len(processOf) != addresses || len(used) != len(targets) {
		t.Errorf("%d addresses were served by %v, want %d addresses and all servers", len(processOf), used, addresses)
	}
}

// socketIOReport is what clients.js says of one client.
type socketIOReport struct {
	IP        string
	Connected bool
	// The address from which the WebSocket came.
	UpgradedFrom string
	Answers      []struct {
		Server, Transport string
		PID               int
	}
	Errors []string
}

func (r *socketIOReport) check(t testing.TB) {
	t.Helper()
	for _, err := range r.Errors {
		t.Errorf("%s: %s", r.IP, err)
	}
	transports := make(map[string]int)
	for _, answer := range r.Answers {
		transports[answer.Transport]++
	}
	if !r.Connected || r.UpgradedFrom != r.IP || transports["polling"] != 1 || transports["websocket"] != 5 {
		t.Errorf("%s: connected: %v, upgraded from: %q, answers by transport: %v", r.IP, r.Connected, r.UpgradedFrom, transports)
	}
}
