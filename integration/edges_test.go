package integration

import (
	"fmt"
	"strings"
	"testing"
)

// most is the greatest number that a Caddyfile may have.
const most = 1 << 53

// century is the longest duration that a config may have.
const century = "36500d"

// greatest returns the options of sticky_proxy at their greatest.
func greatest() string {
	var b strings.Builder
	for _, option := range []string{
		"session_expiry", "deactivation_duration", "dial_timeout", "failover_delay", "idle_timeout", "half_close_timeout", "max_connection_age", "grace_period", "stop_spread",
	} {
		fmt.Fprintln(&b, option, century)
	}
	fmt.Fprintln(&b, "max_sessions", most)
	fmt.Fprintln(&b, "max_connections", most)
	fmt.Fprintln(&b, "max_connections_per_client", 1<<32) // of which an int32 keeps nothing
	return b.String()
}

// With every option at its greatest nothing is over at once, nothing is refused, and what fails is left.
func TestGreatestOptions(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		listen, targets := freeAddr(t), greeters(t, 2)
		dead := targets[0]
		dead.kill()
		weighty := fmt.Sprintf("weight 65535\nmax_connections %d", most)
		middlewares := "@allowed middleware {\ntimeout " + century + "\nrate_limit {\nconnections 1000000000\nburst 1000000000\nwindow " +
			century + fmt.Sprintf("\nmax_clients %d\n}\n}\n", most)
		handler := front + sticky(greatest()+upstream(dead.addr, weighty)+upstream(targets[1].addr, "weight 1"))
		startCaddy(t, strings.NewReplacer("route {", middlewares+"route @allowed {").Replace(caddyfile(server{listen, handler})))

		ips := clientIPs(20)
		conn, _ := hold(t, ips[0], listen)
		again, _ := hold(t, ips[0], listen)
		for _, ip := range ips {
			if name := who(t, ip, listen); name != "b" {
				t.Fatalf("%s is at %s", ip, name)
			}
		}
		dead.start(t)
		for _, ip := range ips {
			if name := who(t, ip, listen); name != "b" {
				t.Errorf("%s is at %s, which is deactivated", ip, name)
			}
		}
		mustEcho(t, conn)
		mustEcho(t, again)
		_ = conn.CloseWrite()
		mustClose(t, conn)
	})
}

// The same of caddy-l4's proxy with our policy.
func TestGreatestOptionsOfPolicy(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 2)
	targets[0].kill()
	startCaddy(t, caddyfile(server{listen, "sticky_session\nproxy " + addresses("", targets...) +
		" {\nlb_policy sticky_ip {\nsession_expiry " + century + "\ndeactivation_duration " + century +
		fmt.Sprintf("\nmax_sessions %d\n}\nlb_try_duration 10s\nlb_try_interval 1ms\n}", most)}))
	ips := clientIPs(20)
	for _, ip := range ips {
		if name := who(t, ip, listen); name != "b" {
			t.Fatalf("%s is at %s", ip, name)
		}
	}
	targets[0].start(t)
	mustAgree(t, "coming again", whoEach(t, ips, listen), whoEach(t, ips, listen))
	if len(homedAt(whoEach(t, ips, listen), "b")) != len(ips) {
		t.Error("a client has left its target")
	}
}
