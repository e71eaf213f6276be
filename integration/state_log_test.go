package integration

import (
	"fmt"
	"strings"
	"testing"
)

// The log tells when a target is left and when it is taken again, once each, also when its deactivation has simply run out.
func TestStatesAreLogged(t *testing.T) {
	t.Parallel()
	listen, targets, ip := freeAddr(t), greeters(t, 2), clientIPs(1)[0]
	p := startCaddy(t, balance(listen, "session_expiry 1ms\ndeactivation_duration 1s\n"+backups(targets[1]), targets[0]))
	targets[0].kill()
	for range 3 {
		if got := who(t, ip, listen); got != "b" {
			t.Errorf("the client is at %s", got)
		}
	}
	targets[0].start(t)
	await(t, "the target is taken again", func() bool { return who(t, ip, listen) == "a" })
	for range 3 {
		who(t, ip, listen)
	}
	log := p.Log()
	if n := strings.Count(log, "upstream deactivated"); n != 1 {
		t.Errorf("%d lines tell that the target is left", n)
	}
	if n := strings.Count(log, "upstream accepts again"); n != 1 || !strings.Contains(log, `"deactivated_for":1.`) && !strings.Contains(log, `"deactivated_for":2.`) {
		t.Errorf("%d lines tell that it is taken again", n)
	}
}

// A target that does not answer is told once, and so is that it answers again.
func TestSuspicionIsLogged(t *testing.T) {
	t.Parallel()
	listen, good := freeAddr(t), greeters(t, 1)
	hole := startHole(t, "hole", greet("hole"))
	p := startCaddy(t, balance(listen, "session_expiry 1ms\n"+longDials+backups(good...), hole.target))
	whoEach(t, clientIPs(10), listen)
	await(t, "the suspicion", func() bool { return strings.Contains(p.Log(), "upstream does not answer") })
	hole.unblock(t)
	await(t, "its end", func() bool { return strings.Contains(p.Log(), "upstream answers again") })
	await(t, "clients at the target", func() bool { return who(t, "127.0.0.2", listen) == "hole" })
	whoEach(t, clientIPs(10), listen)
	log := p.Log()
	for _, line := range []string{"upstream does not answer", "upstream answers again"} {
		if n := strings.Count(log, line); n != 1 {
			t.Errorf("%d lines tell: %s", n, line)
		}
	}
	if !strings.Contains(log, `"suspected_for":`) || !strings.Contains(log, `"since":`) {
		t.Errorf("the log does not tell since when:\n%s", log)
	}
}

// When an upstream is removed by a reload, the log tells once how many clients and connections it has.
func TestRemovalIsLogged(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 3), clientIPs(60)
	p := startCaddy(t, balance(listen, "", targets...))
	open := 0
	for _, ip := range ips {
		for range 2 {
			if mustReadLine(t, dialFrom(t, ip, listen)) == "a" {
				open++
			}
		}
	}
	for range 3 {
		p.reload(t, balance(listen, "", targets[1:]...))
	}
	var lines []string
	for line := range strings.Lines(p.Log()) {
		if strings.Contains(line, "upstream removed") {
			lines = append(lines, line)
		}
	}
	want := fmt.Sprintf(`"connections":%d,"sessions_live":%d,"sessions_idle":0`, open, open/2)
	if len(lines) != 1 || !strings.Contains(lines[0], want) || !strings.Contains(lines[0], targets[0].addr) || !strings.Contains(lines[0], `"level":"warn"`) {
		t.Errorf("the log tells %q, want one line with %s", lines, want)
	}
}
