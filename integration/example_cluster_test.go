package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// One command starts Redis, three targets and three nodes. A client's visits are counted by one target, whichever node it comes to, and a
// target that drains at one node does at all.
func TestExampleCluster(t *testing.T) {
	t.Parallel()
	ports := make([]string, 10)
	for i := range ports {
		ports[i] = strconv.Itoa(freePort(t))
	}
	nodes, admins, targets := ports[:3], ports[3:6], ports[6:9]
	cmd := exec.Command(exampleFile(t, "cluster", "cluster.sh"))
	cmd.Env = append(os.Environ(), "CADDY="+program, "PORTS="+strings.Join(nodes, " "), "ADMIN_PORTS="+strings.Join(admins, " "),
		"TARGET_PORTS="+strings.Join(targets, " "), "REDIS_PORT="+ports[9], "GORACE=atexit_sleep_ms=0")
	log, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		<-ended
		if said, _ := os.ReadFile(log.Name()); t.Failed() {
			t.Logf("%s", said)
		}
	})
	get := func(ip, port, path string) (string, error) {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
		client := http.Client{Timeout: patience, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
		response, err := client.Get("http://127.0.0.1:" + port + path)
		if err != nil {
			return "", err
		}
		defer response.Body.Close()
		text, err := io.ReadAll(response.Body)
		return strings.TrimSpace(string(text)), err
	}
	for _, port := range nodes {
		await(t, "the node serves", func() bool {
			_, err := get("127.0.0.1", port, "/")
			return err == nil
		})
	}
	for _, port := range admins {
		await(t, "the node knows the others", func() bool {
			pool, _ := get("127.0.0.1", port, "/sticky/pools/default")
			return strings.Count(pool, `"last_seen"`) == 3
		})
	}
	for i, ip := range clientIPs(20) {
		var at string
		for visit, port := range nodes {
			said, err := get(ip, port, fmt.Sprintf("/?name=client%d", i))
			target, counted, _ := strings.Cut(said, ", ")
			if want := fmt.Sprintf("visit %d of client%d", 1+visit, i); err != nil || counted != want || at != "" && target != at {
				t.Fatalf("%s is answered %q, %v by node %d, want %s at %q", ip, said, err, visit, want, at)
			}
			at = target
		}
	}
	drained := "127.0.0.1:" + targets[0]
	if out, err := exec.Command(program, "sticky", "drain", drained, "--address", "localhost:"+admins[0]).CombinedOutput(); err != nil {
		t.Fatalf("draining: %v\n%s", err, out)
	}
	await(t, "the target drains at another node", func() bool {
		upstream, _ := get("127.0.0.1", admins[2], "/sticky/pools/default/upstreams/"+drained)
		return strings.Contains(upstream, `"state":"drain`)
	})
}
