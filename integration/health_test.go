package integration

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"
)

// A patient is what is behind the port of a target. It answers checks as it is, and lines of clients by its name.
type patient struct {
	name    string // "patient" if it is empty
	ill     atomic.Bool
	clients atomic.Int64
}

func (p *patient) serve(conn *net.TCPConn) { p.talk(bufio.NewReader(conn), conn) }

func (p *patient) talk(in *bufio.Reader, out io.Writer) {
	for {
		line, err := in.ReadString('\n')
		switch {
		case err != nil:
			return
		case line == "hello\n":
			p.clients.Add(1)
			_, _ = io.WriteString(out, cmp.Or(p.name, "patient")+"\n")
		case strings.HasPrefix(line, "PING"):
			_, _ = io.WriteString(out, map[bool]string{true: "-LOADING\r\n", false: "+PONG\r\n"}[p.ill.Load()])
		case strings.HasPrefix(line, "\x01\xff"):
			_, _ = io.WriteString(out, map[bool]string{true: "\x02\xfe", false: "\x02\xff"}[p.ill.Load()])
		case strings.HasPrefix(line, "GET /health HTTP/1.1"):
			status := map[bool]string{true: "503 Service Unavailable", false: "204 No Content"}[p.ill.Load()]
			_, _ = io.WriteString(out, "HTTP/1.1 "+status+"\r\n\r\n")
			return
		case strings.HasPrefix(line, "GET /"):
			body := map[bool]string{true: "down", false: "up"}[p.ill.Load()]
			_, _ = fmt.Fprintf(out, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
			return
		}
	}
}

// quickly are options of checks that a test need not wait for.
const quickly = "interval 100ms\ntimeout 1s\nrise 2\nfall 2\n"

// A target that is ill in a way that its checks tell gets no client, none meets it meanwhile, and it gets clients again when it is well.
func TestHealthChecks(t *testing.T) {
	t.Parallel()
	for name, check := range map[string]string{
		"send":      "health_check send {\n" + quickly + `send "PING\r\n"` + "\nexpect ^\\+PONG\n}",
		"hex":       "health_check send {\n" + quickly + "send_hex 01ff0a\nexpect_hex 02ff\n}",
		"http":      "health_check http {\n" + quickly + "path /health\n}",
		"http body": "health_check http {\n" + quickly + "body ^up$\n}",
		"all of it": "health_check http {\n" + quickly + "method GET\npath /health\nhost example.com\nstatus 200,204\n}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := new(patient)
			sick, good := startTarget(t, "sick", p.serve), startTarget(t, "good", (&patient{name: "good"}).serve)
			listen := freeAddr(t)
			caddy := startCaddy(t, balance(listen, "session_expiry 1ms\n"+check+"\n"+backups(good), sick))
			await(t, "the first client at the target", func() bool { return say(t, "127.0.0.2", listen) == "patient" })
			mustFollow(t, caddy, p, listen, func(ill bool) { p.ill.Store(ill) })
		})
	}
}

// mustFollow makes a target ill and well again, twice, and fails unless clients follow and no dial of theirs tells.
func mustFollow(t *testing.T, caddy *balancerProcess, p *patient, listen string, makeIll func(bool)) {
	t.Helper()
	for round := 1; round <= 2; round++ {
		makeIll(true)
		await(t, "the target is taken out", func() bool { return strings.Count(caddy.Log(), "upstream check failed") == round })
		served := p.clients.Load()
		for _, ip := range clientIPs(20) {
			if got := say(t, ip, listen); got != "good" {
				t.Errorf("a client was told %q", got)
			}
		}
		if got := p.clients.Load(); got != served {
			t.Errorf("%d clients met the target", got-served)
		}
		makeIll(false)
		await(t, "the target is brought back", func() bool { return strings.Count(caddy.Log(), "upstream check passed") == round })
		if got := say(t, clientIPs(1)[0], listen); got != "patient" {
			t.Errorf("a client was told %q when the target was back", got)
		}
	}
	if log := caddy.Log(); strings.Contains(log, "upstream deactivated") || !strings.Contains(log, `"down_for"`) || !strings.Contains(log, `"pool":"default"`) {
		t.Errorf("the log is not as it should be:\n%s", log)
	}
}

// A target that is dead is taken out before a client meets it, by a check of its own port or of another one.
func TestDeadTargetIsFoundByChecks(t *testing.T) {
	t.Parallel()
	p := new(patient)
	dead, good := startTarget(t, "dead", p.serve), startTarget(t, "good", (&patient{name: "good"}).serve)
	listen := freeAddr(t)
	caddy := startCaddy(t, balance(listen, "session_expiry 1ms\nhealth_check tcp {\n"+quickly+"}\n"+backups(good), dead))
	mustFollow(t, caddy, p, listen, func(ill bool) {
		if ill {
			// The balancer looks at a target that resets a client's connection.
			await(t, "the end of all connections", func() bool { return dead.open() == 0 })
			dead.kill()
		} else {
			dead.start(t)
		}
	})

	// What is checked is the other port, though clients go to this one.
	checkPort, checked := byName(t, "127.1.6.1", "127.1.6.2")
	q, elsewhere := new(patient), freeAddr(t)
	sick := startTargetAt(t, "127.1.6.1:"+strconv.Itoa(freePort(t)), q.serve)
	spare := startTargetAt(t, "127.1.6.2:"+strconv.Itoa(freePort(t)), (&patient{name: "good"}).serve)
	caddy = startCaddy(t, caddyfile(server{elsewhere, sticky(fmt.Sprintf("session_expiry 1ms\nhealth_check tcp {\n%sport %d\n}\n%s", quickly, checkPort, backups(spare)), sick)}))
	mustFollow(t, caddy, q, elsewhere, func(ill bool) {
		if ill {
			checked["127.1.6.1"].kill()
		} else {
			checked["127.1.6.1"].start(t)
		}
	})
}

// startTargetAt runs a target at an address until the test ends.
func startTargetAt(t testing.TB, addr string, serve func(*net.TCPConn)) *target {
	t.Helper()
	target := &target{name: addr, addr: addr, serve: serve, conns: make(map[*net.TCPConn]struct{})}
	target.start(t)
	t.Cleanup(target.kill)
	return target
}

// Of all checks the very first one is enough to take a target out.
func TestFirstCheckTakesOut(t *testing.T) {
	t.Parallel()
	targets, listen := greeters(t, 2), freeAddr(t)
	targets[0].kill()
	caddy := startCaddy(t, balance(listen, "health_check tcp {\ninterval 2s\nfall 1000\n}\n"+backups(targets[1]), targets[0]))
	await(t, "the dead target is taken out", func() bool { return strings.Contains(caddy.Log(), "upstream check failed") })
	caddy.mustCount(t, 1, `deactivations_total{pool="default",reason="check",upstream=%q}`, targets[0].addr)
	caddy.mustCount(t, 1, `upstream_state{pool="default",state="deactivated",upstream=%q}`, targets[0].addr)
	whoEach(t, clientIPs(20), listen)
	if strings.Contains(caddy.Log(), "upstream deactivated") {
		t.Errorf("a client met the dead target:\n%s", caddy.Log())
	}
}

// A check of a target that wants PROXY headers begins with one that says that it is no client's.
func TestChecksWithProxyHeader(t *testing.T) {
	t.Parallel()
	for version, number := range map[string]byte{"v1": 1, "v2": 2} {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			p := new(patient)
			checks, clients := make(chan *proxyproto.Header, 100), make(chan *proxyproto.Header, 100)
			wanting := startTarget(t, "wanting", func(conn *net.TCPConn) {
				reader := bufio.NewReader(conn)
				header, err := proxyproto.Read(reader)
				if err != nil {
					t.Errorf("the header of a connection: %v", err)
					checks <- new(proxyproto.Header)
					return
				}
				if first, err := reader.Peek(1); err == nil && first[0] == 'P' {
					checks <- header
				} else {
					clients <- header
				}
				p.talk(reader, conn)
			})
			listen := freeAddr(t)
			startCaddy(t, balance(listen, "proxy_protocol "+version+"\nhealth_check send {\n"+quickly+"send \"PING\\r\\n\"\nexpect PONG\n}", wanting))
			for range 3 {
				header := <-checks
				if header.Version != number || number == 2 && !header.Command.IsLocal() || header.TransportProtocol != proxyproto.UNSPEC {
					t.Errorf("a check began with %+v", header)
				}
			}
			if got := say(t, "127.0.0.2", listen); got != "patient" {
				t.Errorf("got %q", got)
			}
			if header := <-clients; header.SourceAddr.(*net.TCPAddr).IP.String() != "127.0.0.2" {
				t.Errorf("a client came as %v", header)
			}
		})
	}
}

// Checks speak TLS where that is wanted; a target that does not is ill.
func TestChecksWithTLS(t *testing.T) {
	t.Parallel()
	config, _ := withCertificate(t, "{\n\tlayer4 {\n\t\t127.0.0.1:0 {\n\t\t\troute {\n\t\t\t\ttls\n\t\t\t}\n\t\t}\n\t}\n}\n")
	secure := freeAddr(t)
	config = strings.Replace(config, "127.0.0.1:0", secure, 1)
	startCaddy(t, config)
	good := startTarget(t, "good", greet("good"))
	for name, c := range map[string]struct{ options, want string }{
		"any certificate":   {"tls\ntls_server_name a.example.com\ntls_insecure_skip_verify", ""},
		"an unknown issuer": {"tls\ntls_server_name a.example.com", "certificate"},
		"a plain target":    {"tls\ntls_insecure_skip_verify\nport " + fmt.Sprint(portOf(good.addr)), "TLS handshake"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			caddy := startCaddy(t, caddyfile(server{freeAddr(t), "sticky_proxy " + secure + " {\nhealth_check tcp {\n" + quickly + c.options + "\n}\n}"}))
			if c.want != "" {
				await(t, "the check fails", func() bool {
					log := caddy.Log()
					return strings.Contains(log, "upstream check failed") && strings.Contains(log, c.want)
				})
				return
			}
			time.Sleep(time.Second) // nothing happens, of which there is no event
			if strings.Contains(caddy.Log(), "upstream check failed") {
				t.Errorf("it has failed:\n%s", caddy.Log())
			}
		})
	}
}

// A target that was deactivated by a client's dial comes back as soon as enough checks have passed, long before its time.
func TestChecksBringBack(t *testing.T) {
	t.Parallel()
	targets, listen, ip := greeters(t, 2), freeAddr(t), clientIPs(1)[0]
	caddy := startCaddy(t, balance(listen, "session_expiry 1ms\ndeactivation_duration 1h\nhealth_check tcp {\ninterval 100ms\ntimeout 10s\nfall 1000000\n}\n"+backups(targets[1]), targets[0]))
	await(t, "the first check", func() bool { return targets[0].accepted.Load() > 0 })
	targets[0].kill()
	if got := who(t, ip, listen); got != "b" {
		t.Errorf("the client is at %s", got)
	}
	targets[0].start(t)
	await(t, "the target is back", func() bool { return who(t, ip, listen) == "a" })
	if log := caddy.Log(); strings.Count(log, "upstream deactivated") != 1 || strings.Count(log, "upstream accepts again") != 1 || strings.Contains(log, "upstream check passed") || !strings.Contains(log, `"reason":"its checks pass"`) || !strings.Contains(log, `"deactivated_for"`) {
		t.Errorf("the log is not as it should be:\n%s", log)
	}
}
