package integration

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"testing"
	"time"
)

// After thousands of connections that end in every way at random moments, the balancer holds what it
// held before. Beside nothing but itself, so that nothing else slows it beyond the deadline.
func TestNothingLeaks(t *testing.T) {
	for name, network := range networks {
		for way, front := range ways {
			t.Run(name+" "+way, func(t *testing.T) {
				t.Parallel()
				nothingLeaks(t, network, front)
			})
		}
	}
}

func nothingLeaks(t *testing.T, network, front string) {
	listen := freeAddr(t)
	var targets []*target
	for i := range 3 {
		targets = append(targets, startTarget(t, fmt.Sprint(i), moody))
	}
	// One is dead, so that dials fail now and then.
	targets[2].kill()
	config := func(options string, targets ...*target) string {
		return caddyfile(server{network + listen, front + sticky(options, targets...)})
	}
	caddy := startCaddy(t, config("session_expiry 100ms\ndeactivation_duration 50ms", targets...))

	churn(listen, 300)
	settle(t, targets)
	before := inventory(t, caddy)
	started := time.Now()
	churn(listen, 1500)
	t.Logf("1500 connections took %v", time.Since(started))
	settle(t, targets)

	awaitInventory(t, caddy, before)

	// Nor is a connection counted that is not there: a target with room for one takes one.
	limits := upstream(targets[0].addr, "max_connections 1") + upstream(targets[1].addr, "max_connections 1")
	caddy.reload(t, config(limits, targets[2]))
	for _, target := range targets[:2] {
		accepted := target.accepted.Load()
		await(t, "a connection to target "+target.name, func() bool {
			churn(listen, 10)
			return target.accepted.Load() > accepted
		})
	}
}

// awaitInventory waits until the process holds no more than before, and shows the stacks of all
// goroutines if it goes on to.
func awaitInventory(t testing.TB, caddy *balancerProcess, before map[string]int) {
	t.Helper()
	var now map[string]int
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(100 * time.Millisecond) {
		now = inventory(t, caddy)
		if !anyMore(before, now) {
			return
		}
	}
	_, stacks := caddy.goroutines(t)
	t.Errorf("before %v, afterwards %v\n%s", before, now, stacks)
}

func anyMore(before, now map[string]int) bool {
	for what, count := range now {
		if count > before[what] {
			return true
		}
	}
	return false
}

// settle waits until no target has a connection left.
func settle(t testing.TB, targets []*target) {
	t.Helper()
	await(t, "the targets to be rid of all connections", func() bool {
		open := 0
		for _, target := range targets {
			open += target.open()
		}
		return open == 0
	})
}

// inventory counts what the process holds after a garbage collection, which lets go of what only
// awaits its finalizer.
func inventory(t testing.TB, caddy *balancerProcess) map[string]int {
	t.Helper()
	for range 2 { // what a sync.Pool holds survives one collection
		response, err := caddy.admin.Get("http://localhost/debug/pprof/heap?gc=1")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	held := caddy.descriptors(t)
	held["goroutines"], _ = caddy.goroutines(t)
	return held
}

// endSomehow ends a connection in one of the ways that clients and servers have in common.
func endSomehow(conn *net.TCPConn) {
	switch rand.IntN(4) {
	case 0:
		reset(conn)
	case 1:
		_, _ = io.CopyN(conn, noise(1, miB), rand.Int64N(200*kiB))
		reset(conn)
	case 2:
		_, _ = io.CopyN(conn, noise(1, miB), rand.Int64N(200*kiB))
	default:
		_, _ = io.WriteString(conn, "bye\n")
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	}
}

// moody serves in one of the ways in which servers end connections.
func moody(conn *net.TCPConn) {
	switch rand.IntN(6) {
	default:
		endSomehow(conn)
	case 4:
		_, _ = io.Copy(io.Discard, conn) // stalls as far as the client can see
	case 5:
		_, _ = io.Copy(conn, conn)
	}
}

// churn opens n connections that end in one of the ways in which clients do.
func churn(addr string, n int) {
	ips := clientIPs(100)
	each(n, func(i int) {
		conn, err := tryDial(ips[i%len(ips)], addr)
		if err != nil {
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
		switch rand.IntN(6) {
		default:
			endSomehow(conn)
		case 4:
			_, _ = io.Copy(io.Discard, conn)
			reset(conn)
		case 5:
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
		}
	})
}
