package integration

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// vain is how long a test waits for something that is not expected to come.
const vain = 2 * time.Second

// traps are those of docs/traps.md by their headings, each with what shows that it is still there. The configs have no
// module of ours.
var traps = map[string]func(t *testing.T) bool{
	"A ClientHello in two segments goes to a later route, or nowhere":                    trapHelloInPieces,
	"Once a route is decided, the next one that wants data loses":                        trapWantsData,
	"The http matcher closes a connection when a name in its header comes in two pieces": trapHTTPInPieces,
	"Every client that leaves while a matcher waits makes a line in the log":             trapMatchingLog,
	"A broken PROXY header does not stop the handlers that come after":                   trapBadHeader,
	"proxy_protocol wants a header from everybody it looks at":                           trapOptionalHeader,
	"fallback_policy reject passes the header of a stranger on as data":                  trapRejectedHeader,
	"tee after a matcher delivers the first bytes twice":                                 trapTee,
	"proxy counts connections up and never down":                                         trapCounts,
	"remote_ip_list hangs Caddy at the next reload and when it stops":                    trapAddressList,
	"A refused config leaves plain addresses open":                                       trapRefusedConfig,
	"A plain address accepts nobody any more after it has run out of descriptors":        trapDescriptors,
}

// TestTraps fails once a trap is gone, so that the page is taken back.
func TestTraps(t *testing.T) {
	page, err := os.ReadFile("../docs/traps.md")
	if err != nil {
		t.Fatal(err)
	}
	told := regexp.MustCompile("(?m)^### (.*)$").FindAllStringSubmatch(string(page), -1)
	if len(told) != len(traps) {
		t.Errorf("%d traps are told of, %d are tested", len(told), len(traps))
	}
	for _, heading := range told {
		there := traps[strings.ReplaceAll(heading[1], "`", "")]
		if there == nil {
			t.Errorf("nothing tests %q", heading[1])
			continue
		}
		t.Run(heading[1], func(t *testing.T) {
			t.Parallel()
			if !there(t) && !t.Failed() {
				t.Error("this trap is gone: take it from docs/traps.md, and the test with it")
			}
		})
	}
}

// startRoutes runs a server with these matchers and routes.
func startRoutes(t *testing.T, routes string) (listen string) {
	t.Helper()
	listen = freeAddr(t)
	startCaddy(t, "{\nlayer4 {\n"+listen+" {\n"+routes+"\n}\n}\n}\n")
	return listen
}

// converse sends pieces one after the other, ends its direction, and returns all that comes back.
func converse(t *testing.T, listen string, pieces ...string) string {
	t.Helper()
	conn := dialFrom(t, "127.0.0.2", listen)
	for i, piece := range pieces {
		if i > 0 {
			time.Sleep(vain / 4) // so that the first one is read alone, however busy the machine is
		}
		_, _ = io.WriteString(conn, piece)
	}
	_ = conn.CloseWrite()
	answer, _ := io.ReadAll(conn)
	return strings.TrimSpace(string(answer))
}

// control fails if what must work whether the trap is there or not does not.
func control(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %q, want %q, with which the trap has nothing to do", got, want)
	}
}

func trapHelloInPieces(t *testing.T) bool {
	secure, other := startTarget(t, "secure", answerAll("secure")), startTarget(t, "other", answerAll("other"))
	routes := func(network string) string {
		return "@secure tls sni secure.example.com\nroute @secure {\nproxy " + secure.addr + "\n}\n" +
			"@other remote_ip " + network + "\nroute @other {\nproxy " + other.addr + "\n}"
	}
	wrong, nowhere := startRoutes(t, routes("127.0.0.0/8")), startRoutes(t, routes("192.0.2.0/24"))
	hello := clientHello(t, "secure.example.com")
	control(t, converse(t, wrong, hello), "secure")
	control(t, converse(t, nowhere, hello), "secure")
	return converse(t, wrong, inPieces(hello, 700)...) == "other" && converse(t, nowhere, inPieces(hello, 700)...) == ""
}

func trapWantsData(t *testing.T) bool {
	secure, other := startTarget(t, "secure", answerAll("secure")), startTarget(t, "other", answerAll("other"))
	listen := startRoutes(t, "@far remote_ip 192.0.2.0/24\nroute @far {\nclose\n}\n"+
		"@secure tls sni secure.example.com\nroute @secure {\nproxy "+secure.addr+"\n}\n"+
		"@near remote_ip 127.0.0.0/8\nroute @near {\nproxy "+other.addr+"\n}")
	return converse(t, listen, clientHello(t, "secure.example.com")) == "other"
}

func trapHTTPInPieces(t *testing.T) bool {
	target := startTarget(t, "a", answerAll("a"))
	listen := startRoutes(t, "@a http host a.example\nroute @a {\nproxy "+target.addr+"\n}")
	request := "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"
	control(t, converse(t, listen, request), "a")
	return converse(t, listen, inPieces(request, len("GET / HTTP/1.1\r\nHo"))...) == ""
}

func trapMatchingLog(t *testing.T) bool {
	const clients = 100
	listen := freeAddr(t)
	caddy := startCaddy(t, "{\nlayer4 {\n"+listen+" {\n@a tls\nroute @a {\nclose\n}\n}\n}\n}\n")
	for range clients {
		control(t, converse(t, listen, ""), "")
	}
	return strings.Count(caddy.Log(), "matching connection") == clients
}

func trapBadHeader(t *testing.T) bool {
	target := startTarget(t, "a", answerAll("a"))
	listen := startRoutes(t, "route {\nproxy_protocol {\nallow 127.0.0.0/8\n}\nproxy "+target.addr+"\n}")
	control(t, converse(t, listen, proxyHeaders["v1"]("192.0.2.2")+"hello"), "a")
	before := target.accepted.Load()
	control(t, converse(t, listen, badHeaders["malformed"]), "")
	return target.accepted.Load() > before
}

func trapOptionalHeader(t *testing.T) bool {
	listen := startRoutes(t, "route {\nproxy_protocol {\nallow 127.0.0.0/8\nfallback_policy use\n}\necho\n}")
	control(t, converse(t, listen, proxyHeaders["v1"]("192.0.2.2")+"hello"), "hello")
	return converse(t, listen, "hello") == ""
}

func trapRejectedHeader(t *testing.T) bool {
	listen := startRoutes(t, "route {\nproxy_protocol {\nallow 192.0.2.0/24\nfallback_policy reject\n}\necho\n}")
	header := proxyHeaders["v1"]("192.0.2.2")
	return converse(t, listen, header) == strings.TrimSpace(header)
}

func trapTee(t *testing.T) bool {
	target := startTarget(t, "a", func(conn *net.TCPConn) { _, _ = io.Copy(io.Discard, conn) })
	listen := startRoutes(t, "@any regexp ^hello 5\nroute @any {\ntee {\nproxy "+target.addr+"\n}\necho\n}")
	return converse(t, listen, "hello") == "hellohello"
}

func trapCounts(t *testing.T) bool {
	target := startTarget(t, "a", answerAll("a"))
	listen := startRoutes(t, "route {\nproxy {\nupstream "+target.addr+" {\nmax_connections 1\n}\n}\n}")
	control(t, converse(t, listen, "hello"), "a")
	await(t, "the first connection to be over", func() bool { return target.open() == 0 })
	return converse(t, listen, "hello") == ""
}

func trapAddressList(t *testing.T) bool {
	list := filepath.Join(t.TempDir(), "denied.txt")
	if err := os.WriteFile(list, []byte("192.0.2.1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// It is a race, so there are many of them.
	config := "{\nlayer4 {\n" + freeAddr(t) + " {\n@denied remote_ip_list " + list + "\n" +
		strings.Repeat("route @denied {\nclose\n}\n", 20) + "}\n}\n}\n"
	start := func() *balancerProcess {
		path, adapter := writeConfig(t, config)
		socket := adminSocket(t)
		caddy := launch(t, "CADDY_ADMIN=unix/"+socket, "run", "--config", path, "--adapter", adapter)
		caddy.admin = adminClient(socket)
		t.Cleanup(func() {
			_ = caddy.cmd.Process.Kill()
			<-caddy.exited
		})
		return caddy
	}
	stopping := start()
	_ = stopping.cmd.Process.Signal(syscall.SIGTERM)
	reloading, reloaded := start(), make(chan error, 1)
	go func() { reloaded <- reloading.load(caddyfile(server{freeAddr(t), "echo"})) }()
	over := time.After(vain)
	select {
	case <-stopping.exited:
		return false
	case <-reloaded:
		return false
	case <-over:
		return true
	}
}

func trapRefusedConfig(t *testing.T) bool {
	taken, err := net.Listen("tcp", freeAddr(t))
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	fresh := freeAddr(t)
	caddy := startCaddy(t, caddyfile(server{freeAddr(t), "echo"}))
	if err := caddy.load(caddyfile(server{fresh + " " + taken.Addr().String(), "echo"})); err == nil {
		t.Error("a config whose address is taken was accepted")
	}
	return listens(fresh)
}

func trapDescriptors(t *testing.T) bool {
	listen := freeAddr(t)
	caddy := startCaddy(t, caddyfile(server{listen, "echo"}))
	limit := caddy.limitDescriptors(t, 20)
	var inside []*net.TCPConn
	for caddy.freeDescriptors(t, limit) > 0 {
		conn := dialFrom(t, "127.0.0.2", listen)
		mustEcho(t, conn)
		inside = append(inside, conn)
	}
	waiting := dialFrom(t, "127.0.0.2", listen)
	time.Sleep(100 * time.Millisecond) // for it to be refused
	for _, conn := range inside {
		conn.Close()
	}
	await(t, "free descriptors", func() bool { return caddy.freeDescriptors(t, limit) > 10 })
	for _, conn := range []*net.TCPConn{waiting, dialFrom(t, "127.0.0.2", listen)} {
		_, _ = io.WriteString(conn, "hello")
		_ = conn.SetReadDeadline(time.Now().Add(vain / 2))
		if n, _ := conn.Read(make([]byte, 5)); n > 0 {
			return false
		}
	}
	return true
}
