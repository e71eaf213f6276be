package integration

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// networks are the kinds of listeners, by what stands before an address.
var networks = map[string]string{"plain": "", "seamless": "seamless/"}

// eachNetwork runs a test for each kind of listener, side by side.
func eachNetwork(t *testing.T, test func(t *testing.T, network string)) {
	t.Parallel()
	for name, network := range networks {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, network)
		})
	}
}

// eachProxy does the same, with caddy-l4's own proxy and with ours as what forwards to a target.
func eachProxy(t *testing.T, test func(t *testing.T, network string, to func(*target) string)) {
	eachNetwork(t, func(t *testing.T, network string) {
		for name, to := range map[string]func(*target) string{
			"proxy":        func(target *target) string { return "proxy " + target.addr },
			"sticky_proxy": func(target *target) string { return sticky("pool "+target.name, target) },
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(t, network, to)
			})
		}
	})
}

// ofCaddyL4 returns one of the configs that caddy-l4 tests itself with. Changes are pairs of what is in it and what
// shall be there instead.
func ofCaddyL4(t testing.TB, name string, changes ...string) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/mholt/caddy-l4").Output()
	if err != nil {
		t.Fatal(err)
	}
	fixture, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), "integration", "caddyfile_adapt", name+".caddytest"))
	if err != nil {
		t.Fatal(err)
	}
	config, _, _ := strings.Cut(string(fixture), separator)
	for change := range slices.Chunk(changes, 2) {
		if !strings.Contains(config, change[0]) {
			t.Fatalf("%s has no %q:\n%s", name, change[0], config)
		}
	}
	return strings.NewReplacer(changes...).Replace(config)
}

func TestEchoHandler(t *testing.T) {
	eachNetwork(t, func(t *testing.T, network string) {
		listen := freeAddr(t)
		startCaddy(t, ofCaddyL4(t, "gd_handler_echo", "0.0.0.0:8888", network+listen))
		each(20, func(i int) {
			conn, err := tryDial(clientIPs(20)[i], listen)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			go func() {
				time.Sleep(time.Duration(i%3) * 10 * time.Millisecond) // some speak at once, some later
				pour(conn, noise(byte(i), miB))
			}()
			got, err := digest(conn)
			if want, _ := digest(noise(byte(i), miB)); got != want || err != nil {
				t.Errorf("the echo differs from what was sent: %v", err)
			}
		})
	})
}

// The http matcher needs data, in one piece or in several, and routes by it.
func TestHTTPMatcher(t *testing.T) {
	eachProxy(t, func(t *testing.T, network string, to func(*target) string) {
		listen := freeAddr(t)
		var targets []*target
		for _, name := range []string{"a", "b", "c"} {
			targets = append(targets, startTarget(t, name, answer(name)))
		}
		// Its matcher of HTTP's remote_ip does not work, whatever the listener: it has no address.
		startCaddy(t, ofCaddyL4(t, "gd_matcher_http", ":80 {", network+listen+" {", "remote_ip 192.168.0.0/16", "method GET",
			"proxy localhost:8081", to(targets[0]), "proxy localhost:8082", to(targets[1]), "proxy localhost:8083", to(targets[2])))
		for _, try := range []struct{ method, host, path, want string }{
			{"GET", "localhost", "/index.html", "a"},
			{"GET", "example.com", "/index.html", "b"},
			{"GET", "example.com", "/", "c"},
			{"HEAD", "example.com", "/index.html", ""}, // no route for it
		} {
			request := try.method + " " + try.path + " HTTP/1.1\r\nHost: " + try.host + "\r\n\r\n"
			// A line in two pieces is an error for the matcher, whatever the listener.
			for _, pieces := range [][]string{{request}, strings.SplitAfter(request, "\n")} {
				conn := dialFrom(t, "127.0.0.2", listen)
				sendSlowly(conn, pieces...)
				if try.want == "" {
					mustClose(t, conn)
				} else if name, err := readLine(conn); name != try.want {
					t.Errorf("%v in %d pieces went to %q, %v", try, len(pieces), name, err)
				}
			}
		}
	})
}

// sendSlowly sends pieces so that they don't arrive at once.
func sendSlowly(conn net.Conn, pieces ...string) {
	for i, piece := range pieces {
		if i > 0 {
			time.Sleep(10 * time.Millisecond)
		}
		_, _ = io.WriteString(conn, piece)
	}
}

// The tls matcher looks into the first bytes, the tls handler ends TLS, and another matcher looks into what it holds.
func TestTLSHandler(t *testing.T) {
	eachProxy(t, func(t *testing.T, network string, to func(*target) string) {
		listen := freeAddr(t)
		var targets []*target
		for _, name := range []string{"alpha", "beta", "gamma"} {
			targets = append(targets, startTarget(t, name, answer(name)))
		}
		config, trust := withCertificate(t, ofCaddyL4(t, "gd_handler_tls", ":443 {", network+listen+" {",
			"proxy alpha.machine.local:80", to(targets[0]), "proxy beta.machine.local:80", to(targets[1]),
			"proxy gamma.machine.local:80", to(targets[2])))
		startCaddy(t, config)
		for _, try := range []struct{ alpn, sni, host, want string }{
			{"http/1.1", "alpha.example.com", "alpha.example.com", "alpha"},
			{"http/1.1", "alpha.example.com", "beta.example.com", "beta"},
			{"http/1.1", "beta.example.com", "other.example.com", "gamma"},
			{"http/2", "alpha.example.com", "whatever", "alpha"},
			{"http/2", "beta.example.com", "whatever", "beta"},
		} {
			raw := dialFrom(t, "127.0.0.2", listen)
			conn := tls.Client(raw, &tls.Config{RootCAs: trust, ServerName: try.sni, NextProtos: []string{try.alpn, "acme-tls/1"}})
			sendSlowly(conn, "GET / HTTP/1.1\r\n", "Host: "+try.host+"\r\n\r\n")
			if name := mustReadLine(t, conn); name != try.want {
				t.Errorf("%v went to %q", try, name)
			}
			_ = conn.Close()
		}
		// What is not TLS is echoed.
		conn := dialFrom(t, "127.0.0.2", listen)
		_, _ = io.WriteString(conn, "no TLS, whatever the length of this line may be\n")
		if echo := mustReadLine(t, conn); echo != "no TLS, whatever the length of this line may be" {
			t.Errorf("%q was echoed", echo)
		}
	})
}

// proxyHeaders are PROXY headers of both versions for a client, with port 1234.
var proxyHeaders = map[string]func(ip string) string{
	"v1": func(ip string) string { return "PROXY TCP4 " + ip + " 192.0.2.1 1234 80\r\n" },
	"v2": func(ip string) string {
		header, _ := hex.DecodeString("0d0a0d0a000d0a515549540a2111000c")
		header = append(header, net.ParseIP(ip).To4()...)
		return string(append(header, 192, 0, 2, 1, 1234>>8, 1234&0xff, 0, 80))
	},
}

// The proxy_protocol matcher looks at a header and leaves it to the target.
func TestProxyProtocolMatcher(t *testing.T) {
	eachProxy(t, func(t *testing.T, network string, to func(*target) string) {
		listen := freeAddr(t)
		first := func(name string) func(*net.TCPConn) {
			return func(conn *net.TCPConn) {
				line, _ := bufio.NewReader(conn).ReadString('~')
				_, _ = fmt.Fprintf(conn, "%s %q\n", name, line)
			}
		}
		behind, fallback := startTarget(t, "behind", first("behind")), startTarget(t, "fallback", first("fallback"))
		startCaddy(t, ofCaddyL4(t, "gd_matcher_proxyprotocol", ":443 {", network+listen+" {",
			"proxy haproxy.machine.local:443", to(behind), "proxy fallback.machine.local:443", to(fallback)))
		for text, name := range map[string]string{
			proxyHeaders["v1"]("192.0.2.2") + "hello~": "behind",
			proxyHeaders["v2"]("192.0.2.2") + "hello~": "behind",
			"hello, I am no PROXY header~":             "fallback",
		} {
			for _, pieces := range [][]string{{text}, {text[:5], text[5:15], text[15:]}} {
				conn := dialFrom(t, "127.0.0.2", listen)
				sendSlowly(conn, pieces...)
				if got, want := mustReadLine(t, conn), fmt.Sprintf("%s %q", name, text); got != want {
					t.Errorf("%d pieces came as %s, want %s", len(pieces), got, want)
				}
			}
		}
	})
}

// The proxy_protocol handler makes the client of a header the client; sticky_proxy knows it by that.
func TestProxyProtocolHandler(t *testing.T) {
	t.Parallel()
	direct, targets, ips := freeAddr(t), greeters(t, 4), clientIPs(30)
	handler := sticky("", targets...)
	startCaddy(t, caddyfile(server{direct, handler}))
	homes := whoEach(t, ips, direct)
	for name, network := range networks {
		t.Run(name, func(t *testing.T) {
			trusting, strict := freeAddr(t), freeAddr(t)
			startCaddy(t, ofCaddyL4(t, "gd_handler_proxyprotocol", "0.0.0.0:8080", network+trusting, "0.0.0.0:8081", network+strict,
				"allow 10.0.0.0/8\n", "allow 127.0.0.0/8\n", "allow 10.0.0.0/8 192.168.0.0/16", "allow 127.0.8.0/24", "172.16.0.0/16", "127.0.9.0/24",
				"proxy 10.0.0.1:8080", handler, "proxy 192.168.0.1:8080", handler))
			for version, header := range proxyHeaders {
				for _, listen := range []string{trusting, strict} {
					for _, ip := range ips {
						conn := dialFrom(t, "127.0.8.1", listen)
						sendSlowly(conn, header(ip)+"hello\n")
						if name := mustReadLine(t, conn); name != homes[ip] {
							t.Errorf("%s is at %s by a header of %s and at %s directly", ip, name, version, homes[ip])
						}
						if echo := mustReadLine(t, conn); echo != "hello" {
							t.Errorf("%q was echoed", echo)
						}
					}
				}
				// The header of a stranger is no header, but what it has to say.
				stranger, text := dialFrom(t, ips[0], strict), header(ips[1])+"hello"
				sendSlowly(stranger, text)
				_ = stranger.CloseWrite()
				if all, err := io.ReadAll(stranger); string(all) != homes[ips[0]]+"\n"+text || err != nil {
					t.Errorf("a stranger got %q, %v", all, err)
				}
			}
		})
	}
}

// Caddy's own HTTP server can listen on such an address.
func TestHTTPServer(t *testing.T) {
	eachNetwork(t, func(t *testing.T, network string) {
		listen := freeAddr(t)
		config := func(body string) string {
			return fmt.Sprintf(`{"apps":{"http":{"servers":{"s":{"listen":[%q],"automatic_https":{"disable":true},"routes":[
				{"handle":[{"handler":"static_response","body":%q}]}]}}}}}`, network+listen, body)
		}
		caddy := startCaddy(t, config("{http.request.remote.host} first"))
		transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
			return tryDial("127.0.0.7", listen)
		}}
		defer transport.CloseIdleConnections()
		ask := func() string {
			client := &http.Client{Transport: transport}
			response, err := client.Post("http://"+listen, "text/plain", noise(1, 100*kiB))
			if err != nil {
				return err.Error()
			}
			defer response.Body.Close()
			body, _ := io.ReadAll(response.Body)
			return string(body)
		}
		for range 20 { // on one connection
			if got := ask(); got != "127.0.0.7 first" {
				t.Fatalf("it was answered %q", got)
			}
		}
		transport.CloseIdleConnections() // or the reload would close it under a request
		caddy.reload(t, config("{http.request.remote.host} second"))
		await(t, "the new config", func() bool { return ask() == "127.0.0.7 second" })
	})
}
