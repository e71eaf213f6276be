package integration

import (
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
