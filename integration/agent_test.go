package integration

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// An agent is a program beside a target that says a line to each connection.
type agent struct {
	*target
	mu    sync.Mutex
	line  string
	asked string // by the last connection
	times int    // the line was said
}

// startAgent runs an agent beside a target at an address of its own. If it is to be asked, it waits for a line before it says its own.
func startAgent(t *testing.T, ip string, port int, line string, isAsked bool) *agent {
	t.Helper()
	a := &agent{line: line}
	a.target = startTargetAt(t, net.JoinHostPort(ip, strconv.Itoa(port)), func(conn *net.TCPConn) {
		asked := ""
		if isAsked {
			asked, _ = bufio.NewReader(conn).ReadString('\n')
		}
		a.mu.Lock()
		a.asked, a.times = asked, a.times+1
		line := a.line
		a.mu.Unlock()
		_, _ = io.WriteString(conn, line)
	})
	return a
}

// say changes the line, and waits until it was said and followed.
func (a *agent) say(t *testing.T, line string) {
	t.Helper()
	a.mu.Lock()
	a.line = line
	said := a.times
	a.mu.Unlock()
	await(t, "the agent is asked", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return a.times >= said+2 // the line before the last one was followed
	})
}

// What a target's agent says counts: its health, its mode, its weight and its limit, in whatever order and case, until it says otherwise.
func TestAgent(t *testing.T) {
	t.Parallel()
	port, agentPort := freePort(t), freePort(t)
	var targets []*target
	for _, ip := range []string{"127.1.7.1", "127.1.7.2"} {
		targets = append(targets, startTargetAt(t, net.JoinHostPort(ip, strconv.Itoa(port)), greet(ip)))
	}
	a := startAgent(t, "127.1.7.1", agentPort, "up ready 100%\n", true)
	listen, ips := freeAddr(t), clientIPs(80)
	p := startCaddy(t, balance(listen, fmt.Sprintf("session_expiry 1h\nhealth_check tcp {\ninterval 1h\nagent_port %d\nagent_interval 100ms\nagent_send \"web\\n\"\n}", agentPort), targets...))
	used := 0
	newClients := func(n int) map[string]int {
		used += n
		return spread(whoEach(t, ips[used-n:used], listen))
	}
	stuck, name := hold(t, ips[len(ips)-1], listen)
	for i := len(ips) - 2; name != "127.1.7.1"; i-- {
		stuck, name = hold(t, ips[i], listen)
		if i == 70 {
			t.Fatal("no client is at the target")
		}
	}
	ip := stuck.LocalAddr().(*net.TCPAddr).IP.String()
	a.say(t, "drain # an update\r\n")
	if counts := newClients(10); counts["127.1.7.1"] > 0 {
		t.Errorf("with drain new clients are at %v", counts)
	}
	if got := who(t, ip, listen); got != "127.1.7.1" {
		t.Errorf("with drain a client with a session is at %s", got)
	}
	a.say(t, "Ready, 0%\n")
	if counts := newClients(10); counts["127.1.7.1"] > 0 {
		t.Errorf("with 0%% new clients are at %v", counts)
	}
	a.say(t, "100% MAXCONN:1\n")
	if counts := newClients(10); counts["127.1.7.1"] > 0 {
		t.Errorf("with a limit of the one connection that is open new clients are at %v", counts)
	}
	a.say(t, "maxconn:0\n")
	if counts := newClients(20); counts["127.1.7.1"] == 0 {
		t.Errorf("new clients are at %v", counts)
	}
	stillServed(t, stuck)
	for _, line := range []string{"stopped # for the night\n", "fail\n", "down", "maint up\n"} {
		a.say(t, line)
		if got := who(t, ip, listen); got != "127.1.7.2" {
			t.Errorf("with %q a client is at %s", line, got)
		}
	}
	a.kill()
	await(t, "the silence of the agent is told", func() bool { return strings.Count(p.Log(), "upstream agent does not answer") == 2 })
	if got := who(t, ip, listen); got != "127.1.7.2" {
		t.Errorf("with a silent agent the target, which was in maintenance, has a client")
	}
	a.start(t)
	a.say(t, "ready nonsense\n")
	if counts := newClients(20); counts["127.1.7.1"] == 0 {
		t.Errorf("with ready and up new clients are at %v", counts)
	}
	mustTellAgent(t, p, a)
}

// mustTellAgent fails unless the log tells of each change once, though an agent says the same again and again.
func mustTellAgent(t *testing.T, p *balancerProcess, a *agent) {
	t.Helper()
	log := p.Log()
	for line, times := range map[string]int{
		`"msg":"upstream agent sets the mode"`:                      4,
		`"mode":"drain","reason":"its agent says drain: an update"`: 1,
		`"msg":"upstream agent says down"`:                          1,
		`"reason":"its agent says stopped: for the night"`:          1,
		`"msg":"upstream agent says up"`:                            1,
		`"msg":"upstream agent answers again"`:                      1,
		`"msg":"an upstream's agent says what has no meaning"`:      1,
		`"word":"nonsense"`:                                         1,
		"upstream check failed":                                     0, "upstream deactivated": 0,
	} {
		if n := strings.Count(log, line); n != times {
			t.Errorf("%d lines tell %s, want %d", n, line, times)
		}
	}
	if strings.Count(log, `"msg":"upstream agent does not answer"`) != 2 { // the other target has none
		t.Errorf("the log does not tell once of each agent that it is silent:\n%s", log)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asked != "web\n" {
		t.Errorf("the agent was asked %q", a.asked)
	}
}
