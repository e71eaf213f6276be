package integration

import (
	"encoding/json"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const accessLogger = "layer4.handlers.sticky_proxy.access"

// An accessCase is one way in which a connection ends.
type accessCase struct {
	options string // of the handler
	front   string // handlers before it
	// The targets, of which all but the first are backups. Obedient ones by default.
	targets []*target
	// Plays the case, with the client's connection held unless it is raw.
	play func(t *testing.T, p *balancerProcess, conn *net.TCPConn)
	raw  bool
	want map[string]any // fields of the line; nil for those that must not be there
}

// obey serves a client that tells the target what to do.
func obey(conn *net.TCPConn) {
	_, _ = io.WriteString(conn, "a\n")
	for {
		switch line, err := readLine(conn); line {
		case "end":
			_ = conn.CloseWrite()
		case "reset":
			reset(conn)
			return
		case "linger":
			_, _ = io.Copy(io.Discard, conn)
			time.Sleep(patience)
			return
		default:
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, line+"\n")
		}
	}
}

func tell(t *testing.T, conn net.Conn, line string) {
	t.Helper()
	if _, err := io.WriteString(conn, line+"\n"); err != nil {
		t.Fatal(err)
	}
}

// accessCases are the ways in which connections end.
func accessCases(t *testing.T) map[string]accessCase {
	one := func(serve func(*net.TCPConn)) []*target { return []*target{startTarget(t, "a", serve)} }
	gone := one(obey)
	gone[0].kill()
	down := one(obey)
	fresh := append(one(func(*net.TCPConn) {}), startTarget(t, "b", obey))
	drained, full := one(obey), one(obey)
	return map[string]accessCase{
		"client eof": {
			play: func(t *testing.T, _ *balancerProcess, conn *net.TCPConn) {
				tell(t, conn, "hello")
				_ = conn.CloseWrite()
				_, _ = io.ReadAll(conn)
			},
			want: map[string]any{"ended_by": "client", "end": "eof", "bytes_up": 6.0, "bytes_down": 8.0, "choice": "new", "dials": 1.0, "error": nil, "decision_time": nil},
		},
		"client reset": {
			play: func(_ *testing.T, _ *balancerProcess, conn *net.TCPConn) { reset(conn) },
			want: map[string]any{"ended_by": "client", "end": "reset"},
		},
		"upstream eof": {
			play: func(t *testing.T, _ *balancerProcess, conn *net.TCPConn) {
				tell(t, conn, "end")
				_, _ = io.ReadAll(conn)
				_ = conn.Close()
			},
			want: map[string]any{"ended_by": "upstream", "end": "eof", "error": nil},
		},
		"upstream reset": {
			play: func(t *testing.T, _ *balancerProcess, conn *net.TCPConn) {
				tell(t, conn, "reset")
				mustBeReset(t, conn)
			},
			want: map[string]any{"ended_by": "upstream", "end": "reset"},
		},
		"idle": {
			options: "idle_timeout 200ms",
			play:    func(t *testing.T, _ *balancerProcess, conn *net.TCPConn) { mustBeReset(t, conn) },
			want:    map[string]any{"ended_by": "proxy", "end": "idle_timeout"},
		},
		"half-closed": {
			options: "half_close_timeout 200ms",
			play: func(t *testing.T, _ *balancerProcess, conn *net.TCPConn) {
				tell(t, conn, "linger")
				_ = conn.CloseWrite()
				mustBeReset(t, conn)
			},
			want: map[string]any{"ended_by": "proxy", "end": "half_close_timeout"},
		},
		"old": {
			options: "max_connection_age 200ms",
			play:    func(t *testing.T, _ *balancerProcess, conn *net.TCPConn) { mustBeReset(t, conn) },
			want:    map[string]any{"ended_by": "proxy", "end": "max_connection_age"},
		},
		"drained": {
			targets: drained,
			play: func(t *testing.T, p *balancerProcess, conn *net.TCPConn) {
				p.patch(t, drained[0], `{"state": "drain", "deadline": "1ms", "rate": 100}`)
				mustBeReset(t, conn)
			},
			want: map[string]any{"ended_by": "proxy", "end": "drained", "reason": "the deadline of the upstream's drain is over"},
		},
		"forgotten": {
			play: func(t *testing.T, p *balancerProcess, conn *net.TCPConn) {
				p.mustAsk(t, "DELETE", "pools/default/sessions?all=true&close=true", "", new(struct{}))
				mustBeReset(t, conn)
			},
			want: map[string]any{"ended_by": "proxy", "end": "forgotten", "reason": "the session was forgotten by an operator"},
		},
		"down": {
			options: "when_down close",
			targets: down,
			play: func(t *testing.T, p *balancerProcess, conn *net.TCPConn) {
				down[0].stop()
				dialFrom(t, "127.0.0.3", conn.RemoteAddr().String())
				mustBeReset(t, conn)
			},
			want: map[string]any{"ended_by": "proxy", "end": "down"},
		},
		"exit": {
			play: func(t *testing.T, p *balancerProcess, conn *net.TCPConn) {
				p.signal(t, syscall.SIGTERM)
				mustBeReset(t, conn)
			},
			want: map[string]any{"ended_by": "proxy", "end": "exit", "reason": "the process exits"},
		},
		"no upstream": {
			targets: gone, raw: true,
			play: func(t *testing.T, _ *balancerProcess, conn *net.TCPConn) { mustClose(t, conn) },
			want: map[string]any{"ended_by": "proxy", "end": "no_upstream", "reason": "no upstream accepts the connection", "dials": 1.0, "upstream": nil, "bytes_up": nil, "choice": nil},
		},
		"limit": {
			options: "max_connections_per_client 1",
			play: func(t *testing.T, _ *balancerProcess, conn *net.TCPConn) {
				mustClose(t, dialFrom(t, "127.0.0.2", conn.RemoteAddr().String()))
			},
			want: map[string]any{"ended_by": "proxy", "end": "limit", "reason": "max_connections_per_client, which is 1", "dials": 0.0},
		},
		"full": {
			options: "when_full close",
			targets: full,
			play: func(t *testing.T, p *balancerProcess, conn *net.TCPConn) {
				p.patch(t, full[0], `{"max_connections": 1}`)
				mustClose(t, dialFrom(t, "127.0.0.2", conn.RemoteAddr().String()))
			},
			want: map[string]any{"ended_by": "proxy", "end": "limit", "reason": "when_full, which is close"},
		},
		"bad header": {
			front: "proxy_protocol {\nallow 127.0.0.0/8\ntimeout 5s\n}\n", raw: true,
			play: func(t *testing.T, _ *balancerProcess, conn *net.TCPConn) {
				tell(t, conn, "PROXY TCP4 nonsense\r")
				_, _ = io.ReadAll(conn)
			},
			want: map[string]any{"ended_by": "proxy", "end": "rejected", "upstream": nil},
		},
		"taken to another upstream": {
			targets: fresh,
			play: func(t *testing.T, _ *balancerProcess, conn *net.TCPConn) {
				_ = conn.CloseWrite()
				_, _ = io.ReadAll(conn)
			},
			want: map[string]any{
				"ended_by": "client", "end": "eof", "choice": "moved", "choice_reason": "the upstream ended the connection before it was used", "dials": 2.0,
				"upstream": fresh[1].addr,
			},
		},
	}
}

// Each connection has one line, which tells how it ended, whichever way it is carried.
func TestAccessLog(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		for name, c := range accessCases(t) {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if c.targets == nil {
					c.targets = []*target{startTarget(t, "a", obey)}
				}
				listen, file := freeAddr(t), filepath.Join(t.TempDir(), "access.log")
				options := "access_log on\n" + c.options + "\n" + backups(c.targets[1:]...)
				p := startCaddy(t, accessTo(file, caddyfile(server{listen, c.front + front + sticky(options, c.targets[0])})))
				conn := dialFrom(t, "127.0.0.2", listen)
				if !c.raw {
					mustReadLine(t, conn)
				}
				client := conn.LocalAddr().String()
				c.play(t, p, conn)
				line := awaitAccess(t, file, "end", c.want["end"])
				want := map[string]any{"level": "info", "logger": accessLogger, "msg": "connection", "pool": "default", "local": listen}
				if _, served := c.want["upstream"]; !served {
					want["upstream"] = c.targets[0].addr
				}
				maps.Copy(want, c.want)
				if want["upstream"] != nil {
					want["address"] = want["upstream"]
				}
				if end := want["end"]; end == "limit" {
					want["upstream"], want["address"] = nil, nil
				} else if c.front == "" {
					want["client"] = client
				}
				for field, value := range want {
					if line[field] != value {
						t.Errorf("%s is %v, want %v in %v", field, line[field], value, line)
					}
				}
				for _, field := range []string{"client", "dial_time", "duration", "dials"} {
					if line[field] == nil {
						t.Errorf("there is no %s in %v", field, line)
					}
				}
				if strings.Contains(p.Log(), accessLogger) {
					t.Error("the default log has lines of the access log")
				}
			})
		}
	})
}

// accessTo returns a Caddyfile whose access log goes to a file and nowhere else.
func accessTo(file, config string) string {
	const logs = "{\n\tlog access {\n\t\toutput file FILE\n\t\tformat json\n\t\tinclude " + accessLogger + "\n\t}\n\tlog default {\n\t\texclude " + accessLogger + "\n\t}\n"
	return strings.Replace(config, "{\n", strings.ReplaceAll(logs, "FILE", file), 1)
}

// accessLines returns the lines of an access log.
func accessLines(t *testing.T, file string) (lines []map[string]any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%v in %q", err, line)
		}
		lines = append(lines, fields)
	}
	return lines
}

// awaitAccess returns the first line of an access log in which a field has a value.
func awaitAccess(t *testing.T, file, field string, value any) (line map[string]any) {
	t.Helper()
	await(t, "the line of the access log", func() bool {
		lines := accessLines(t, file)
		i := slices.IndexFunc(lines, func(l map[string]any) bool { return l[field] == value })
		if i >= 0 {
			line = lines[i]
		}
		return i >= 0
	})
	return line
}

// A client that comes again is at its session's target, and one whose target fails is moved, with the reason.
func TestAccessLogTellsTheChoice(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		targets, listen, file := greeters(t, 2), freeAddr(t), filepath.Join(t.TempDir(), "access.log")
		startCaddy(t, accessTo(file, caddyfile(server{listen, front + sticky("access_log on\n"+backups(targets[1]), targets[0])})))
		for visit := range 3 {
			if visit == 2 {
				targets[0].kill()
			}
			who(t, "127.0.0.2", listen)
			await(t, "the line of the connection", func() bool { return len(accessLines(t, file)) == visit+1 })
		}
		want := []string{"new", "session", "moved"}
		for i, line := range accessLines(t, file) {
			if line["choice"] != want[i] {
				t.Errorf("choice is not %s in %v", want[i], line)
			}
			if reason := line["choice_reason"]; i < 2 && reason != nil || i == 2 && reason != "the upstream is deactivated" {
				t.Errorf("choice_reason is %v", reason)
			}
			if dials := []float64{1, 1, 2}[i]; line["dials"] != dials {
				t.Errorf("dials is %v, want %v", line["dials"], dials)
			}
		}
	})
}

// A client that leaves while its target does not answer has a line, too.
func TestAccessLogTellsWhoLeft(t *testing.T) {
	t.Parallel()
	listen, file, hole := freeAddr(t), filepath.Join(t.TempDir(), "access.log"), startHole(t, "hole", greet("hole"))
	startCaddy(t, accessTo(file, balance(listen, "access_log on\n"+longDials, hole.target)))
	conn := dialFrom(t, "127.0.0.2", listen)
	await(t, "the dial", func() bool { return dialling(t, hole.addr) == 1 })
	reset(conn)
	if line := awaitAccess(t, file, "end", "left"); line["ended_by"] != "client" || line["dials"] != 1.0 || line["upstream"] != nil {
		t.Errorf("the line is %v", line)
	}
}

// The line has the time that middlewares took, and tells when one of them has ended the connection.
func TestAccessLogTellsOfMiddlewares(t *testing.T) {
	script := filepath.Join(t.TempDir(), "balancer.js")
	const slow = `
module.exports.run = function (balancer) {
	balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, function (socket, next) {
		setTimeout(next, 50);
		setTimeout(() => socket.destroy(), 200);
	});
};
`
	if err := os.WriteFile(script, []byte(slow), 0o600); err != nil {
		t.Fatal(err)
	}
	eachWay(t, func(t *testing.T, front string) {
		target, listen, file := greeters(t, 1)[0], freeAddr(t), filepath.Join(t.TempDir(), "access.log")
		config := "{\n\tlayer4 {\n\t\t" + listen + " {\n@allowed middleware {\nscript " + script + "\n}\nroute @allowed {\n" + front + sticky("access_log on", target) + "\n}\n}\n}\n}\n"
		startCaddy(t, accessTo(file, config))
		hold(t, "127.0.0.2", listen)
		line := awaitAccess(t, file, "end", "middleware")
		if took, _ := line["decision_time"].(float64); took < 0.05 || took > patience.Seconds() || line["ended_by"] != "proxy" {
			t.Errorf("the line is %v", line)
		}
	})
}

// A connection that outlives the config under which it came has its line in the logs of the config that runs when it ends.
func TestAccessLogAfterReload(t *testing.T) {
	t.Parallel()
	target, listen, dir := greeters(t, 1)[0], freeAddr(t), t.TempDir()
	before, after := filepath.Join(dir, "before.log"), filepath.Join(dir, "after.log")
	config := balance("seamless/"+listen, "access_log on", target)
	p := startCaddy(t, accessTo(before, config))
	conn, _ := hold(t, "127.0.0.2", listen)
	p.reload(t, accessTo(after, config))
	_ = conn.CloseWrite()
	awaitAccess(t, after, "end", "eof")
	if lines := accessLines(t, before); len(lines) > 0 {
		t.Errorf("the log of the first config has %v", lines)
	}
}

// Without access_log there are no lines.
func TestNoAccessLog(t *testing.T) {
	t.Parallel()
	target, listen := greeters(t, 1)[0], freeAddr(t)
	p := startCaddy(t, debugging(balance(listen, "", target)))
	who(t, "127.0.0.2", listen)
	await(t, "the end of the connection", func() bool { return strings.Contains(p.Log(), "connection ended") })
	if strings.Contains(p.Log(), accessLogger) {
		t.Errorf("there is an access log:\n%s", p.Log())
	}
}
