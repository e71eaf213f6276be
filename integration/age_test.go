package integration

import (
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A connection that has reached its max_connection_age is reset at both ends though it is busy, and not all that began together end
// together. The log has the reason.
func TestMaxConnectionAge(t *testing.T) {
	const age = 2 * time.Second
	eachWay(t, func(t *testing.T, front string) {
		listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(60)
		caddy := startCaddy(t, debugging(caddyfile(server{"seamless/" + listen, front + sticky("max_connection_age 2s", targets...)})))
		ages, homes := make([]time.Duration, len(ips)), make([]string, len(ips))
		var wait sync.WaitGroup
		for i, ip := range ips {
			began := time.Now()
			conn, name := hold(t, ip, listen)
			homes[i] = name
			wait.Go(func() {
				mustTalkUntilReset(t, conn)
				ages[i] = time.Since(began)
			})
		}
		wait.Wait()
		slices.Sort(ages)
		t.Logf("the connections were from %v to %v old", ages[0], ages[len(ages)-1])
		if ages[0] < age-age/10 || ages[len(ages)-1] > 2*age {
			t.Errorf("the connections were from %v to %v old, want about %v", ages[0], ages[len(ages)-1], age)
		}
		if spread := ages[len(ages)-5] - ages[5]; spread < age/20 {
			t.Errorf("they ended within %v", spread)
		}
		await(t, "the ends at the targets", func() bool { return targets[0].open()+targets[1].open() == 0 })
		await(t, "the lines of the log", func() bool {
			return strings.Count(caddy.Log(), `"reason":"the connection has reached its max_connection_age"`) == len(ips)
		})
		for i, ip := range ips {
			if name := who(t, ip, listen); name != homes[i] {
				t.Errorf("%s was at %s and came back to %s", ip, homes[i], name)
			}
		}
	})
}

// mustTalkUntilReset has a greeter echo lines until the connection is reset, which must not look like the end of the stream.
func mustTalkUntilReset(t *testing.T, conn *net.TCPConn) {
	_ = conn.SetDeadline(time.Now().Add(patience))
	for {
		_, err := io.WriteString(conn, "x\n")
		if err == nil {
			_, err = readLine(conn)
		}
		if err != nil {
			if !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, syscall.EPIPE) {
				t.Errorf("the connection ends with %v, want a reset", err)
			}
			return
		}
		time.Sleep(10 * time.Millisecond) // the pace of the client
	}
}

// While a pool is rebalanced, clients of long connections come to a target that was added, since these end by their age.
func TestMaxConnectionAgeRebalances(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(20)
	caddy := startCaddy(t, balance("seamless/"+listen, "max_connection_age 2s", targets[0]))
	conns := make([]*net.TCPConn, len(ips))
	for i, ip := range ips {
		conns[i], _ = hold(t, ip, listen)
	}
	caddy.reload(t, balance("seamless/"+listen, "max_connection_age 2s", targets...))
	caddy.mustAsk(t, http.MethodPost, "/pools/default/rebalance", "", new(any))
	moved := 0
	for i, ip := range ips {
		mustBeReset(t, conns[i])
		if who(t, ip, listen) == targets[1].name {
			moved++
		}
	}
	if moved < 3 || moved > len(ips)-3 {
		t.Errorf("%d of %d clients came to the target that was added", moved, len(ips))
	}
}
