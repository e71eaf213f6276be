package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// keepAliveTimer is how the system shows a socket that probes its silent peer.
const keepAliveTimer = "02"

// Both ends of a connection are kept alive from the first moment, whichever way it came, without a byte and after one
// message each way.
func TestKeptAlive(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		for name, network := range networks {
			t.Run(name, func(t *testing.T) {
				listen, target := freeAddr(t), startTarget(t, "a", answer("a"))
				startCaddy(t, caddyfile(server{network + listen, front + sticky("keepalive 20s\nkeepalive_interval 3s", target)}))
				conn := dialFrom(t, "127.0.0.2", listen)
				await(t, "the target's connection", func() bool { return target.open() == 1 })
				mustBeKeptAlive(t, listen, target.addr, conn)
				if _, err := io.WriteString(conn, "question\n"); err != nil {
					t.Fatal(err)
				}
				mustReadLine(t, conn)
				mustBeKeptAlive(t, listen, target.addr, conn)
			})
		}
	})
}

// mustBeKeptAlive fails unless the balancer's sockets towards a client and a target probe their peers.
func mustBeKeptAlive(t testing.TB, listen, target string, client *net.TCPConn) {
	t.Helper()
	for whose, ends := range map[string][2]string{"client": {listen, client.LocalAddr().String()}, "target": {"", target}} {
		await(t, "the "+whose+"'s keepalive timer", func() bool {
			timer, left := socketTimer(t, ends[0], ends[1])
			return timer == keepAliveTimer && left <= 20*time.Second
		})
	}
}

// socketTimer returns which timer of a connection runs, and until when. An empty address is any.
func socketTimer(t testing.TB, local, remote string) (timer string, left time.Duration) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range strings.Split(string(table), "\n")[1:] {
		fields := strings.Fields(line)
		if len(fields) < 6 || fields[3] != "01" || local != "" && fields[1] != procAddr(local) || fields[2] != procAddr(remote) {
			continue
		}
		timer, ticks, _ := strings.Cut(fields[5], ":")
		var hundredths int64
		_, _ = fmt.Sscanf(ticks, "%x", &hundredths)
		return timer, time.Duration(hundredths) * 10 * time.Millisecond
	}
	return "", 0
}

// procAddr writes an IPv4 address as /proc/net/tcp does.
func procAddr(addr string) string {
	resolved, err := net.ResolveTCPAddr("tcp4", addr)
	if err != nil {
		return addr
	}
	ip := resolved.IP.To4()
	return fmt.Sprintf("%02X%02X%02X%02X:%04X", ip[3], ip[2], ip[1], ip[0], resolved.Port)
}

// A peer that vanishes without a word lets go of its connection, be it silent or in the middle of a stream. Its host is a
// network namespace, whose cable is pulled.
func TestVanishedTarget(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		for name, options := range map[string]string{
			"silent":  "keepalive 1s\nkeepalive_interval 1s\nuser_timeout 3s",
			"waiting": "keepalive off\nuser_timeout 2s",
		} {
			t.Run(name, func(t *testing.T) {
				host := startHost(t)
				listen := freeAddr(t)
				startCaddy(t, caddyfile(server{"seamless/" + listen, front + "sticky_proxy " + host.addr + " {\n" + options + "\n}"}))
				conn, _ := hold(t, "127.0.0.2", listen)
				mustEcho(t, conn)
				host.unplug(t)
				if name == "waiting" {
					if _, err := io.WriteString(conn, "are you there?\n"); err != nil {
						t.Fatal(err)
					}
				}
				mustClose(t, conn)
			})
		}
	})
}

// A host is a network namespace with an echo server that greets.
type host struct{ name, device, addr string }

// hostVar makes the test binary the server of a host.
const hostVar = "STICKY_TEST_HOST"

func startHost(t *testing.T) *host {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can make network namespaces")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("iproute2 is not there")
	}
	port := freePort(t)
	index := port % 16384 // a subnet of its own
	h := &host{name: fmt.Sprintf("sticky%d", port), device: fmt.Sprintf("st%d", port)}
	subnet := fmt.Sprintf("10.%d.%d.", 64+index/256, index%256)
	h.addr = fmt.Sprintf("%s2:%d", subnet, port)
	t.Cleanup(func() { _ = exec.Command("ip", "netns", "delete", h.name).Run() })
	for _, command := range []string{
		"netns add " + h.name,
		"link add " + h.device + " type veth peer name eth0 netns " + h.name,
		"addr add " + subnet + "1/30 dev " + h.device,
		"link set " + h.device + " up",
		"-n " + h.name + " addr add " + subnet + "2/30 dev eth0",
		"-n " + h.name + " link set eth0 up",
	} {
		if output, err := exec.Command("ip", strings.Fields(command)...).CombinedOutput(); err != nil {
			t.Skipf("ip %s: %v %s", command, err, output)
		}
	}
	server := exec.Command("ip", "netns", "exec", h.name, os.Args[0], "-test.run", "^TestHostProcess$")
	server.Env = append(os.Environ(), hostVar+"="+h.addr, "CADDY_BIN="+program)
	output, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
	})
	if line, err := bufio.NewReader(output).ReadString('\n'); line != "listening\n" {
		t.Fatalf("the host says %q, %v", line, err)
	}
	return h
}

// unplug pulls the host's cable.
func (h *host) unplug(t testing.TB) {
	t.Helper()
	if output, err := exec.Command("ip", "-n", h.name, "link", "set", "eth0", "down").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, output)
	}
}

// TestHostProcess is no test but the server of a host.
func TestHostProcess(t *testing.T) {
	addr := os.Getenv(hostVar)
	if addr == "" {
		return
	}
	target := &target{name: "host", addr: addr, serve: greet("host"), conns: make(map[*net.TCPConn]struct{})}
	target.start(t)
	fmt.Println("listening")
	time.Sleep(time.Minute) // until it is killed
}
