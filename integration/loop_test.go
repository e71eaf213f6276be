package integration

import (
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// An upstream that is a listener of the same config, from which connections would come back, is refused at load.
func TestLoopIsRefused(t *testing.T) {
	t.Parallel()
	a, b := freePort(t), freePort(t)
	at := func(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
	proxy := func(upstream string) string {
		return "sticky_proxy " + upstream + " {\npool p" + strings.Map(alphanumeric, upstream) + "\n}"
	}
	socket := t.TempDir() + "/s"
	for name, servers := range map[string][]server{
		"the same address":        {{at("127.0.0.1", a), proxy(at("127.0.0.1", a))}},
		"a wildcard":              {{at("", a), proxy(at("127.0.0.9", a))}},
		"a name":                  {{"seamless/" + at("", a), proxy(at("localhost", a))}},
		"a range":                 {{fmt.Sprintf("127.0.0.1:%d-%d", a-1, a+1), proxy(at("127.0.0.1", a))}},
		"this machine's own name": {{"seamless/" + at("", a), proxy(at(hostname(t), a))}},
		"a socket":                {{"unix/" + socket, proxy("unix/" + socket)}},
		"among others":            {{at("127.0.0.1", a), "sticky_proxy 127.0.0.1:1 " + at("127.0.0.1", a)}},
		"within a subroute":       {{at("127.0.0.1", a), "subroute {\nroute {\n" + proxy(at("127.0.0.1", a)) + "\n}\n}"}},
		"a ring of two pools":     {{at("127.0.0.1", a), proxy(at("127.0.0.1", b))}, {at("127.0.0.1", b), proxy(at("127.0.0.1", a))}},
		"a ring with proxy":       {{at("127.0.0.1", a), proxy(at("127.0.0.1", b))}, {at("127.0.0.1", b), "proxy " + at("127.0.0.1", a)}},
	} {
		config, err := adaptFile(caddyfile(servers...))
		if err != nil {
			t.Fatal(err)
		}
		for range 20 { // layer4 loads its servers in another order each time
			if err := validate(config); err == nil || !strings.Contains(err.Error(), "go round") {
				t.Errorf("%s: %v", name, err)
				break
			}
		}
	}
	for name, servers := range map[string][]server{
		"another port":               {{at("127.0.0.1", a), proxy(at("127.0.0.1", b))}},
		"another address":            {{at("127.0.0.1", a), proxy(at("127.0.0.2", a))}},
		"another machine":            {{at("", a), proxy(at("192.0.2.1", a))}},
		"a pool in front of another": {{at("127.0.0.1", a), proxy(at("127.0.0.1", b))}, {at("127.0.0.1", b), proxy("127.0.0.1:1")}},
	} {
		config, err := adaptFile(caddyfile(servers...))
		if err != nil {
			t.Fatal(err)
		}
		if err := validate(config); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func adaptFile(file string) ([]byte, error) {
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(file), nil)
	return config, err
}

func alphanumeric(r rune) rune {
	if r >= '0' && r <= '9' || r >= 'a' && r <= 'z' {
		return r
	}
	return -1
}

func hostname(t testing.TB) string {
	t.Helper()
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := net.LookupHost(name); err != nil {
		return "localhost" // a machine without a name
	}
	return name
}

// Where the check at load does not see that a target is the balancer itself, as in a listener wrapper of the http app,
// the first connection that comes back does: it is closed with all that it has made, the target is taken out, and
// everything else is served.
func TestLoopIsNoticed(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		for _, network := range networks {
			port, other, target := freePort(t), freeAddr(t), startTarget(t, "a", greet("a"))
			options := fmt.Sprintf("servers {\nlistener_wrappers {\nlayer4 {\nroute {\n%ssticky_proxy 127.0.0.1:%d {\npool loop\n}\n}\n}\n}\n}\n", front, port)
			site := fmt.Sprintf("http://:%d {\nbind %s127.0.0.1\nrespond hello\n}\n", port, network)
			config := strings.Replace(caddyfile(server{"seamless/" + other, sticky("pool other", target)}), "{\n", "{\n"+options, 1) + site
			caddy := startCaddy(t, config)
			before := inventory(t, caddy)
			for range 20 {
				conn := dialFrom(t, "127.0.0.2", fmt.Sprintf("127.0.0.1:%d", port))
				_, _ = io.WriteString(conn, "anybody there?\n")
				mustClose(t, conn)
				conn.Close()
			}
			if !strings.Contains(caddy.Log(), "own listener") {
				t.Error("the log does not tell of the loop")
			}
			if caddy.value(t, `deactivations_total{pool="loop",reason="loop",upstream="127.0.0.1:%d"}`, port) == 0 {
				t.Error("the metrics do not tell of the loop")
			}
			conn, _ := hold(t, "127.0.0.2", other)
			mustEcho(t, conn)
			conn.Close()
			awaitInventory(t, caddy, before)
		}
	})
}
