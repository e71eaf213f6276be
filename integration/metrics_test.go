package integration

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
)

// All families are there from the start, with 0 for all that has not happened, and are what promlint wants.
func TestMetricsFromTheStart(t *testing.T) {
	t.Parallel()
	targets := greeters(t, 1)
	p := startCaddy(t, everyMetric(t, freeAddr(t), targets...))
	text := p.metricsText(t)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems {
		if strings.HasPrefix(problem.Metric, "caddy_sticky_") {
			t.Errorf("promlint: %s: %s", problem.Metric, problem.Text)
		}
	}
	families := p.metrics(t)
	if len(families) < 18 {
		t.Errorf("there are only %d families", len(families))
	}
	for name, f := range families {
		if len(f.values) == 0 {
			t.Errorf("%s has no values", name)
		}
		for sample, value := range f.values {
			if active := strings.Contains(sample, `state="active"`); value != "0" && !active || active && value != "1" {
				t.Errorf("%s is %s at the start", sample, value)
			}
		}
	}
}

// What a connection does is told while it is open, when it has ended, and after a reload.
func TestMetricsOfConnection(t *testing.T) {
	t.Parallel()
	listen, one, ip := freeAddr(t), startTarget(t, "echo", answer("echo")), clientIPs(1)[0]
	config := balance(listen, "", one)
	p := startCaddy(t, config)
	conn := dialFrom(t, ip, listen)
	at := fmt.Sprintf("upstream=%q", one.addr)
	sent, _ := io.WriteString(conn, "who are you?\n")
	got := len(mustReadLine(t, conn)) + 1
	p.mustCount(t, 1, `connections{pool="default"}`)
	p.mustCount(t, 1, `upstream_connections{pool="default",%s}`, at)
	p.mustCount(t, 1, `upstream_sessions{pool="default",state="live",%s}`, at)
	p.mustCount(t, 1, `sessions{pool="default",state="live"}`)
	p.mustCount(t, 1, `sessions_total{event="placed",pool="default"}`)
	p.mustCount(t, 1, `dials_total{pool="default",result="accepted",%s}`, at)
	p.mustCount(t, 1, `dial_duration_seconds_count{pool="default"}`)
	p.mustCount(t, float64(sent), `bytes_total{direction="up",pool="default",%s}`, at)
	p.mustCount(t, float64(got), `bytes_total{direction="down",pool="default",%s}`, at)
	p.mustCount(t, 0, `connection_duration_seconds_count{pool="default"}`)
	p.reload(t, config)
	p.mustCount(t, 1, `connections{pool="default"}`)
	conn.Close()
	p.mustCount(t, 0, `connections{pool="default"}`)
	p.mustCount(t, 1, `connections_total{pool="default",result="ended"}`)
	p.mustCount(t, 1, `connection_duration_seconds_count{pool="default"}`)
	p.mustCount(t, 1, `sessions{pool="default",state="idle"}`)
	p.mustCount(t, 1, `upstream_sessions{pool="default",state="idle",%s}`, at)
	p.mustCount(t, float64(sent), `bytes_total{direction="up",pool="default",%s}`, at)
	if took := p.value(t, `dial_duration_seconds_sum{pool="default"}`); took <= 0 || took > patience.Seconds() {
		t.Errorf("the dial is told to have taken %v s", took)
	}
	if open := p.value(t, `connection_duration_seconds_sum{pool="default"}`); open <= 0 || open > 2*patience.Seconds() {
		t.Errorf("the connection is told to have been open for %v s", open)
	}
}

// How connections end is told.
func TestMetricsOfEnds(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 1), clientIPs(4)
	p := startCaddy(t, balance(listen, "max_connections 2", targets...))
	client, _ := hold(t, ips[0], listen)
	upstream, _ := hold(t, ips[1], listen)
	mustClose(t, dialFrom(t, ips[2], listen))
	p.mustCount(t, 1, `connections_total{pool="default",result="blocked"}`)
	p.mustCount(t, 1, `blocked_total{pool="default",reason="max_connections"}`)
	reset(client)
	p.mustCount(t, 1, `connections_total{pool="default",result="client_failed"}`)
	targets[0].kill()
	p.mustCount(t, 1, `connections_total{pool="default",result="upstream_failed"}`)
	upstream.Close()
	await(t, "room", func() bool { return p.value(t, `connections{pool="default"}`) == 0 })
	mustClose(t, dialFrom(t, ips[3], listen))
	p.mustCount(t, 1, `connections_total{pool="default",result="no_upstream"}`)
	targets[0].start(t)
	hold(t, ips[0], listen)
	p.mustCount(t, 1, `upstream_state{pool="default",state="active",upstream=%q}`, targets[0].addr)
	p.patch(t, targets[0], `{"state":"maintenance","deadline":"0s","rate":1000}`)
	p.mustCount(t, 1, `connections_total{pool="default",result="cut"}`)
	p.mustCount(t, 1, `upstream_state{pool="default",state="maintenance",upstream=%q}`, targets[0].addr)
	p.mustCount(t, 0, `upstream_state{pool="default",state="active",upstream=%q}`, targets[0].addr)
}

// A target that is dead is told, and those who went elsewhere.
func TestMetricsOfFailover(t *testing.T) {
	t.Parallel()
	listen, targets, ip := freeAddr(t), greeters(t, 2), clientIPs(1)[0]
	p := startCaddy(t, balance(listen, "deactivation_duration 1h", targets...))
	home := named(t, targets, who(t, ip, listen))
	p.mustCount(t, 0, `connections{pool="default"}`)
	home.stop()
	first, _ := hold(t, ip, listen)
	p.mustCount(t, 1, `dials_total{pool="default",result="refused",upstream=%q}`, home.addr)
	p.mustCount(t, 1, `deactivations_total{pool="default",reason="refused",upstream=%q}`, home.addr)
	p.mustCount(t, 1, `failovers_total{pool="default",reason="refused"}`)
	p.mustCount(t, 1, `upstream_state{pool="default",state="deactivated",upstream=%q}`, home.addr)
	p.mustCount(t, 0, `upstream_state{pool="default",state="active",upstream=%q}`, home.addr)
	p.mustCount(t, 1, `sessions_total{event="moved",pool="default"}`)
	hold(t, ip, listen) // whose session is where it is by now
	p.mustCount(t, 1, `failovers_total{pool="default",reason="refused"}`)
	first.Close()

	other := targets[0]
	if other == home {
		other = targets[1]
	}
	home.start(t)
	p.patch(t, other, `{"state":"maintenance"}`)
	p.patch(t, home, `{"state":"active"}`)
	if _, at := hold(t, ip, listen); at != home.name {
		t.Fatalf("the client is at %s", at)
	}
	p.mustCount(t, 1, `failovers_total{pool="default",reason="maintenance"}`)
}

// A target that ends connections before they are used is told by those who went elsewhere.
func TestMetricsOfRedispatch(t *testing.T) {
	t.Parallel()
	listen, bad, good := freeAddr(t), startTarget(t, "bad", func(*net.TCPConn) {}), startTarget(t, "good", greet("good"))
	p := startCaddy(t, balance(listen, backups(good), bad))
	if _, at := hold(t, clientIPs(1)[0], listen); at != "good" {
		t.Fatalf("the client is at %s", at)
	}
	p.mustCount(t, 1, `failovers_total{pool="default",reason="unserved"}`)
	for _, one := range []*target{bad, good} {
		p.mustCount(t, 1, `dials_total{pool="default",result="accepted",upstream=%q}`, one.addr)
	}
	p.mustCount(t, 0, `connections_total{pool="default",result="ended"}`)
}

// Clients of a target that is full go elsewhere, wait, or are kept out.
func TestMetricsOfFullUpstream(t *testing.T) {
	t.Parallel()
	t.Run("move", func(t *testing.T) {
		t.Parallel()
		listen, targets, ip := freeAddr(t), greeters(t, 2), clientIPs(1)[0]
		p := startCaddy(t, limited(listen, "", targets...))
		for range 3 {
			hold(t, ip, listen)
		}
		p.mustCount(t, 1, `failovers_total{pool="default",reason="full"}`)
	})
	t.Run("wait", func(t *testing.T) {
		t.Parallel()
		listen, targets, ip := freeAddr(t), greeters(t, 2), clientIPs(1)[0]
		p := startCaddy(t, limited(listen, "when_full wait 1h\nmax_waiting 1", targets...))
		first, _ := hold(t, ip, listen)
		hold(t, ip, listen)
		waiting := dialFrom(t, ip, listen)
		p.mustCount(t, 1, `queue{pool="default"}`)
		mustClose(t, dialFrom(t, ip, listen))
		p.mustCount(t, 1, `blocked_total{pool="default",reason="max_waiting"}`)
		first.Close()
		mustReadLine(t, waiting)
		p.mustCount(t, 0, `queue{pool="default"}`)
		for _, why := range []string{"full", "moved"} {
			p.mustCount(t, 0, `failovers_total{pool="default",reason=%q}`, why)
		}
	})
}

// Sessions that end are told, with the way in which they end.
func TestMetricsOfSessions(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 1), clientIPs(5)
	config := func(expiry string) string {
		return balance(listen, "max_sessions 3\nsession_expiry "+expiry, targets...)
	}
	p := startCaddy(t, config("1h"))
	for _, ip := range ips {
		who(t, ip, listen)
	}
	p.mustCount(t, 5, `sessions_total{event="placed",pool="default"}`)
	p.mustCount(t, 2, `sessions_total{event="evicted",pool="default"}`)
	p.mustCount(t, 3, `sessions{pool="default",state="idle"}`)
	var answer any
	p.mustAsk(t, http.MethodDelete, "pools/default/sessions?client="+ips[4], "", &answer)
	p.mustCount(t, 1, `sessions_total{event="forgotten",pool="default"}`)
	p.reload(t, config("10ms"))
	p.mustCount(t, 2, `sessions_total{event="expired",pool="default"}`)
	p.mustCount(t, 0, `sessions{pool="default",state="idle"}`)
}

// What is about an upstream goes with it when it is removed and empty, and what is about a pool with that.
func TestMetricsEnd(t *testing.T) {
	t.Parallel()
	listen, targets, ip := freeAddr(t), greeters(t, 2), clientIPs(1)[0]
	pool := func(name string, one *target) string { return balance(listen, "session_expiry 10ms\npool "+name, one) }
	p := startCaddy(t, pool("first", targets[0]))
	conn, _ := hold(t, ip, listen)
	p.reload(t, pool("first", targets[1]))
	p.mustCount(t, 1, `upstream_state{pool="first",state="removed",upstream=%q}`, targets[0].addr)
	p.mustCount(t, 1, `upstream_connections{pool="first",upstream=%q}`, targets[0].addr)
	p.mustCount(t, 1, `upstream_state{pool="first",state="active",upstream=%q}`, targets[1].addr)
	p.reload(t, pool("second", targets[1]))
	p.mustCount(t, 1, `connections{pool="first"}`) // which a connection holds
	p.mustCount(t, 0, `connections{pool="second"}`)
	p.reload(t, pool("first", targets[1]))
	conn.Close()
	await(t, "nothing tells of the upstream that is gone", func() bool { return !strings.Contains(p.metricsText(t), targets[0].addr) })
	p.mustCount(t, 1, `connections_total{pool="first",result="ended"}`)
	p.reload(t, pool("second", targets[1]))
	await(t, "nothing tells of the pool that is gone", func() bool { return !strings.Contains(p.metricsText(t), `pool="first"`) })
}
