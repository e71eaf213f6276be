package integration

import (
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Whatever strangers can have written into the log is bounded, and the log says how much was left out of it.
func TestLogFloods(t *testing.T) {
	t.Parallel()
	const clients = 500
	script := filepath.Join(t.TempDir(), "balancer.js")
	writeScript(t, script, `module.exports.run = (balancer) => balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, (socket, next) => {
		console.log('flood');
		next();
	});`)
	for name, flood := range map[string]struct {
		middleware, front, message string
		lines                      int
		window                     time.Duration
	}{
		"blocked":       {"rate_limit {\nconnections 1\nwindow 24h\n}", "", "blocked a client", 10, time.Second},
		"no answer":     {"authorize http://127.0.0.1:1/ {\non_error allow\n}", "", "letting a client in", 10, time.Second},
		"script":        {"script " + script, "", "flood", 200, 10 * time.Second},
		"wrong header":  {"rate_limit {\nconnections 100000\n}", "route {\nproxy_protocol\n}\n", "closing a connection", 10, time.Second},
		"none to serve": {"", "", "no upstream", 10, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen, target := freeAddr(t), greeters(t, 1)[0]
			config := strings.Replace(guarded(listen, flood.middleware, target), "route @allowed", flood.front+"route @allowed", 1)
			if flood.middleware == "" {
				target.kill()
				config = balance(listen, "", target)
			}
			caddy := startCaddy(t, config)
			began := time.Now()
			each(clients, func(int) {
				if conn, err := tryDial("127.0.0.2", listen); err == nil {
					_, _ = io.WriteString(conn, "hello, I am no header\r\n")
					_ = conn.CloseWrite()
					_, _ = io.ReadAll(conn)
					conn.Close()
				}
			})
			most := flood.lines * (2 + int(time.Since(began)/flood.window))
			var lines, leftOut int
			await(t, "the log to account for all clients", func() bool {
				lines, leftOut = accounts(caddy.Log(), flood.message)
				return lines+leftOut >= clients-1
			})
			if t.Logf("%d lines, %d left out", lines, leftOut); lines > most || leftOut == 0 {
				t.Errorf("%d lines, want at most %d", lines, most)
			}
			if all := strings.Count(caddy.Log(), "\n"); all > lines+most+50 {
				t.Errorf("%d lines in all", all)
			}
		})
	}
}

// accounts returns how many lines of a log say something, and how many such lines were left out of it.
func accounts(log, message string) (lines, leftOut int) {
	for line := range strings.Lines(log) {
		var entry struct {
			LeftOut int `json:"left_out"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil {
			leftOut += entry.LeftOut
		}
		if strings.Contains(line, message) {
			lines++
		}
	}
	return lines, leftOut
}
