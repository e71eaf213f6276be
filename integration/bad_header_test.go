package integration

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// badHeaders are openings that are no PROXY header, though one is due.
var badHeaders = map[string]string{
	"none":              "hello, I am no header\r\n",
	"malformed":         "PROXY TCP4 192.0.2.2 nonsense 1234 80\r\nhello",
	"half":              "PROXY TCP4 192.0.2.2 192.0.2.1",
	"too long":          "PROXY TCP4 " + strings.Repeat("1", 300) + "\r\n",
	"unknown version":   "\r\n\r\n\x00\r\nQUIT\n\x31\x11\x00\x0c\xc0\x00\x02\x02\xc0\x00\x02\x01\x04\xd2\x00\x50hello",
	"v2 without an end": "\r\n\r\n\x00\r\nQUIT\n\x21\x11\xff\xff\xc0\x00\x02\x02",
	"nothing":           "",
}

// For a connection whose PROXY header is wrong, late or missing, nothing is dialled and nobody decides, whatever
// handlers stand between.
func TestBadProxyHeader(t *testing.T) {
	eachNetwork(t, func(t *testing.T, network string) {
		const header = "proxy_protocol {\nallow 127.0.8.0/24\ntimeout 300ms\n}\n"
		target, direct := greeters(t, 1)[0], freeAddr(t)
		limit := "middleware {\nrate_limit {\nconnections 1\nwindow 1h\n}\n}\n"
		stock := "proxy {\nupstream " + target.addr + "\nlb_policy sticky_ip {\npool stock\n}\n}"
		guarded := fmt.Sprintf("@allowed %s@blocked not %sroute {\n%s}\nroute @blocked {\n%s\n}\nroute @allowed {\n%s\n}", limit, limit, header,
			"proxy "+target.addr, sticky("", target))
		doors := map[string]string{
			"sticky_proxy":               header + sticky("", target),
			"sticky_proxy behind a wrap": header + "throttle {\nread_burst_size 100000\n}\n" + sticky("", target),
			"sticky_session":             header + "sticky_session\n" + stock,
			"sticky_ip":                  header + stock,
		}
		servers := []server{}
		addresses := make(map[string]string)
		for name, handlers := range doors {
			addresses[name] = freeAddr(t)
			servers = append(servers, server{network + addresses[name], handlers})
		}
		addresses["middleware"] = freeAddr(t)
		config := strings.TrimSuffix(caddyfile(servers...), "}\n}\n") +
			network + addresses["middleware"] + " {\n" + guarded + "\n}\n" +
			network + direct + " {\n@allowed " + limit + "route @allowed {\n" + sticky("", target) + "\n}\n}\n}\n}\n"
		caddy := startCaddy(t, config)
		before := inventory(t, caddy)
		for name, address := range addresses {
			for what, opening := range badHeaders {
				conn := dialFrom(t, "127.0.8.1", address)
				_, _ = io.WriteString(conn, opening)
				if left, _ := io.ReadAll(conn); len(left) > 0 {
					t.Errorf("%s answers %q to a header that is %s", name, left, what)
				}
				if n := target.accepted.Load(); n != 0 {
					t.Errorf("%s dials %d times for a header that is %s", name, n, what)
					target.accepted.Store(0)
				}
			}
		}
		awaitInventory(t, caddy, before)
		if lines := strings.Count(caddy.Log(), "PROXY header"); lines < 3 || lines > 40 {
			t.Errorf("%d lines about headers in the log", lines)
		}
		if strings.Contains(caddy.Log(), "matching connection") {
			t.Error("layer4 logs without a bound")
		}
		// Good ones are served after all that, and the peer's own connections were not counted.
		for name, address := range addresses {
			conn := dialFrom(t, "127.0.8.1", address)
			sendSlowly(conn, proxyHeaders["v2"]("192.0.2.2"))
			if who := mustReadLine(t, conn); who != target.name {
				t.Errorf("%s leads to %q", name, who)
			}
		}
		who(t, "127.0.8.1", direct)
	})
}
