package integration

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// exampleFile returns the path of a file of an example.
func exampleFile(t testing.TB, example, file string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../examples", example, file))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// startExample runs the Caddyfile of an example, as it is, with free ports in its variables.
func startExample(t *testing.T, example string, environment map[string]int) *balancerProcess {
	t.Helper()
	for name, port := range environment {
		t.Setenv(name, strconv.Itoa(port))
	}
	return startWith(t, exampleFile(t, example, "Caddyfile"), "caddyfile")
}

// startServers runs the server.js of an example on n free ports, which the example's TARGETS tells. They find
// their packages among those of the other tests.
func startServers(t *testing.T, example string, n int) map[string]*nodeServer {
	t.Helper()
	packages, err := filepath.Abs("node/node_modules")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("NODE_PATH", packages)
	servers := make(map[string]*nodeServer)
	var addrs []string
	for range n {
		addr := freeAddr(t)
		port := strconv.Itoa(portOf(addr))
		servers[port] = runNode(t, &target{name: port, addr: addr}, exampleFile(t, example, "server.js"), port)
		addrs = append(addrs, addr)
	}
	t.Setenv("TARGETS", strings.Join(addrs, " "))
	return servers
}

// runClient runs the client.js of an example and returns what it says.
func runClient(t *testing.T, example string, args ...string) (lines []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{exampleFile(t, example, "client.js")}, args...)...)
	output, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("client.js %s: %v\n%s", strings.Join(args, " "), err, output)
	}
	return strings.Split(strings.TrimSpace(string(output)), "\n")
}

// mustAnswer fails unless all visits of a client were answered by one of the servers, and returns that one.
func mustAnswer(t *testing.T, servers map[string]*nodeServer, lines []string) *nodeServer {
	t.Helper()
	var server *nodeServer
	for _, line := range lines {
		_, port, _ := strings.Cut(line, "answered by ")
		if s := servers[port]; s == nil || server != nil && s != server {
			t.Fatalf("a client was not answered by one server: %q", lines)
		}
		server = servers[port]
	}
	if len(lines) != 3 {
		t.Fatalf("a client said %q, want three lines", lines)
	}
	return server
}

// A client's visits, by polling and by WebSocket, all come to one process, and to another one when that is killed.
func TestExampleSocketIO(t *testing.T) {
	servers, port := startServers(t, "socket.io", 4), freePort(t)
	startExample(t, "socket.io", map[string]int{"PORT": port})
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	for _, ip := range clientIPs(3) {
		mustAnswer(t, servers, runClient(t, "socket.io", url, ip))
	}
	ip := "127.0.0.2"
	first := mustAnswer(t, servers, runClient(t, "socket.io", url, ip))
	first.kill()
	if mustAnswer(t, servers, runClient(t, "socket.io", url, ip)) == first {
		t.Error("a server that was killed answered")
	}
}

// What a SocketCluster server remembers of a client is there at its next visit.
func TestExampleSocketCluster(t *testing.T) {
	servers, port := startServers(t, "socketcluster", 2), freePort(t)
	startExample(t, "socketcluster", map[string]int{"PORT": port})
	for _, ip := range clientIPs(4) {
		lines := runClient(t, "socketcluster", strconv.Itoa(port), ip)
		mustAnswer(t, servers, lines)
		for i, line := range lines {
			if !strings.HasPrefix(line, fmt.Sprintf("visit %d, ", 1+i)) {
				t.Errorf("%s at visit %d: %q", ip, 1+i, line)
			}
		}
	}
}

// Players are greeted with their own address by the server that they were at, until that is killed, and one that comes
// too fast is kept out.
func TestExampleGameServer(t *testing.T) {
	servers, port := startServers(t, "game-server", 2), freePort(t)
	startExample(t, "game-server", map[string]int{"PORT": port})
	listen := fmt.Sprintf("127.0.0.1:%d", port)
	visit := func(ip string) (server string, err error) {
		conn, err := tryDial(ip, listen)
		if err != nil {
			return "", err
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "hello\n")
		line, err := readLine(conn)
		if err != nil {
			return "", err
		}
		greeting, server, _ := strings.Cut(line, " to server ")
		if echo, err := readLine(conn); greeting != "welcome "+ip || servers[server] == nil || echo != "hello" || err != nil {
			t.Errorf("%s was greeted by %q, then %q, %v", ip, line, echo, err)
		}
		return server, nil
	}
	homes := make(map[string]string)
	for range 2 {
		for _, ip := range clientIPs(6) {
			server, err := visit(ip)
			if err != nil {
				t.Fatal(err)
			}
			if home := homes[ip]; home != "" && home != server {
				t.Errorf("%s went from %s to %s", ip, home, server)
			}
			homes[ip] = server
		}
	}
	ip := "127.0.0.2"
	servers[homes[ip]].kill()
	if server, err := visit(ip); err != nil || server == homes[ip] {
		t.Errorf("%s is at %q, %v, though that was killed", ip, server, err)
	}

	let := 0
	for ; let < 100; let++ {
		if _, err := visit("127.0.0.200"); err != nil {
			break
		}
	}
	if let < 5 || let == 100 {
		t.Errorf("a player was let in %d times, want five and what a minute's ten add", let)
	}
}

// TLS goes through to the service that the ClientHello names, and clients stick to one of its targets.
func TestExampleTLSPassthrough(t *testing.T) {
	port, chat1, chat2, game := freePort(t), freePort(t), freePort(t), freePort(t)
	startExample(t, "tls-passthrough", map[string]int{"PORT": port, "CHAT1": chat1, "CHAT2": chat2, "GAME": game})
	ask := func(ip, name string) (string, error) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}, Timeout: patience}
		client := http.Client{Timeout: patience, Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return dialer.DialContext(ctx, network, fmt.Sprintf("127.0.0.1:%d", port))
			},
		}}
		response, err := client.Get("https://" + name)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		return strings.TrimSpace(string(body)), err
	}
	used := make(map[string]bool)
	for _, ip := range clientIPs(20) {
		var home string
		await(t, "the certificate", func() (ok bool) {
			answer, err := ask(ip, "chat.example.com")
			home = answer
			return err == nil
		})
		used[home] = true
		for range 3 {
			if answer, err := ask(ip, "chat.example.com"); answer != home || err != nil {
				t.Errorf("%s was answered by %q and by %q, %v", ip, home, answer, err)
			}
		}
	}
	for _, chat := range []int{chat1, chat2} {
		if !used[fmt.Sprintf("chat.example.com on %d", chat)] {
			t.Errorf("20 clients were answered by %v", used)
		}
	}
	await(t, "the game's certificate", func() bool {
		answer, err := ask("127.0.0.2", "game.example.com")
		return err == nil && answer == fmt.Sprintf("game.example.com on %d", game)
	})
	if answer, err := ask("127.0.0.2", "other.example.com"); err == nil {
		t.Errorf("a name without a route was answered: %q", answer)
	}
}

// IPv6 clients are served by IPv6 targets, and IPv4 clients are refused.
func TestExampleIPv6Only(t *testing.T) {
	if !hasIPv6() {
		t.Skip("this machine has no IPv6")
	}
	port, target1, target2 := freePort(t), freePort(t), freePort(t)
	startExample(t, "ipv6-only", map[string]int{"PORT": port, "TARGET1": target1, "TARGET2": target2})
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	home := ""
	for range 5 {
		response, err := client.Get(fmt.Sprintf("http://[::1]:%d", port))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		answer := strings.TrimSpace(string(body))
		if err != nil || home != "" && answer != home || answer != fmt.Sprintf("target %d", target1) && answer != fmt.Sprintf("target %d", target2) {
			t.Fatalf("answered by %q and by %q, %v", home, answer, err)
		}
		home = answer
	}
	mustRefuse(t, fmt.Sprintf("127.0.0.1:%d", port))
}
