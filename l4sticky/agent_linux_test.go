package l4sticky

import (
	"io"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// sayLine runs an agent that says a line.
func sayLine(t *testing.T, line *atomic.Pointer[string]) (port int) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, *line.Load()+"\n")
			_ = conn.Close()
		}
	}()
	_, text, _ := net.SplitHostPort(ln.Addr().String())
	port, err = strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// What an agent has said is forgotten when it is not asked any more, and a panic of a question to it is followed by the next one.
func TestAgentIsForgotten(t *testing.T) {
	address, _ := echo(t)
	var line atomic.Pointer[string]
	said := "down maint 30% maxconn:7"
	line.Store(&said)
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, address)
	panicked := safelytest.InjectOnce(t, "agent check")
	log := checkQuickly(t, v, &HealthCheck{Type: checkTCP, AgentPort: sayLine(t, &line), AgentInterval: caddy.Duration(100 * time.Millisecond)})
	safelytest.AwaitPanic(t, panicked)
	awaitLine(t, log, "upstream agent says down", 1)
	awaitLine(t, log, "upstream drained", 1)
	m := v.targets.Members()[0]
	if m.Active() || m.Mode() != target.Maintenance || m.Weight() != 1 || m.MaxConnections() != 7 {
		t.Errorf("the target is active: %v, its mode is %v, its weight %d, its limit %d", m.Active(), m.Mode(), m.Weight(), m.MaxConnections())
	}
	next := joinAs(t, newConfig(t), t.Name(), time.Minute, address)
	defer next.quit()
	v.quit()
	m = next.targets.Members()[0]
	if !m.Active() || m.Control(target.Agent) != (target.Control{}) || m.MaxConnections() != 0 {
		t.Errorf("without an agent the target is active: %v, with %+v", m.Active(), m.Control(target.Agent))
	}
}
