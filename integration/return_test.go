package integration

import (
	"strings"
	"testing"
)

// Clients that failed over stay, or come home once they were away, and never with a connection open.
func TestReturnHome(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		option string
		homes  bool
	}{{"", false}, {"return_home stay", false}, {"return_home when_idle", true}} {
		t.Run(c.option, func(t *testing.T) {
			t.Parallel()
			listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(20)
			p := startCaddy(t, balance(listen, c.option+"\nsession_expiry 1h\nhealth_check tcp {\ninterval 100ms\nrise 1\n}", targets...))
			homes := whoEach(t, ips, listen)
			away := named(t, targets, homes[ips[0]])
			concerned := homedAt(homes, away.name)
			away.kill()
			moved := whoEach(t, ips, listen)
			for _, ip := range concerned {
				if moved[ip] == away.name {
					t.Fatalf("%s is at a target that is dead", ip)
				}
			}
			open, _ := hold(t, concerned[0], listen)
			away.start(t)
			await(t, "the target is back", func() bool { return strings.Contains(p.Log(), "upstream accepts again") })
			after := whoEach(t, ips, listen)
			if after[concerned[0]] == away.name {
				t.Error("a client has moved that has a connection open")
			}
			want := moved
			if c.homes {
				want = homes
				want[concerned[0]] = moved[concerned[0]]
			}
			mustAgree(t, "after the target is back", after, want)
			open.Close()
			await(t, "the connection's end", func() bool { return named(t, targets, moved[concerned[0]]).open() == 0 })
			if c.homes {
				await(t, "the client is home", func() bool { return who(t, concerned[0], listen) == away.name })
			} else if got := who(t, concerned[0], listen); got == away.name {
				t.Error("the client has left the target that it had moved to")
			}
		})
	}
}

// The log tells when a slow start is done, of a target that returns and of one that is added.
func TestSlowStartDone(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 2)
	const options = "slow_start 300ms\nhealth_check tcp {\ninterval 100ms\nrise 1\nfall 1\n}"
	p := startCaddy(t, balance(listen, options, targets[0]))
	done := func(one *target) bool {
		return strings.Contains(p.Log(), `"upstream slow start done","pool":"default","upstream":"`+one.addr+`"`)
	}
	p.reload(t, balance(listen, options, targets...))
	await(t, "the slow start of the target that is added is done", func() bool { return done(targets[1]) })
	if done(targets[0]) {
		t.Error("a target that was there from the beginning has started slowly")
	}
	targets[0].kill()
	await(t, "its checks fail", func() bool { return strings.Contains(p.Log(), "upstream check failed") })
	targets[0].start(t)
	await(t, "the slow start of the target that is back is done", func() bool { return done(targets[0]) })
}

// A target that returns gets few of the new clients at first.
func TestSlowStart(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(200)
	p := startCaddy(t, balance(listen, "slow_start 1h", targets[0]))
	p.reload(t, balance(listen, "slow_start 1h", targets...))
	if at := homedAt(whoEach(t, ips, listen), targets[1].name); len(at) > 20 {
		t.Errorf("%d of 200 clients are at a target that was just added", len(at))
	}
}
