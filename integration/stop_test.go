package integration

import (
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// mustBeReset fails unless the other side cuts the connection, with a reset.
func mustBeReset(t testing.TB, conn *net.TCPConn) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	if left, err := io.ReadAll(conn); len(left) > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("got %q and %v, want a reset", left, err)
	}
}

func (p *balancerProcess) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
}

// stillServed fails if a connection to a greeter does not go on.
func stillServed(t testing.TB, conn *net.TCPConn) {
	t.Helper()
	if _, err := io.WriteString(conn, "still there\n"); err != nil {
		t.Fatal(err)
	}
	if line := mustReadLine(t, conn); line != "still there" {
		t.Errorf("%q came back", line)
	}
}

// The grace period holds for pools that a reload has removed or renamed, too, in both ways to carry a connection. At
// its end what is left is reset, and the log tells how much that was.
func TestGraceOfPoolsThatAreGone(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		listen, targets := freeAddr(t), greeters(t, 2)
		config := func(options string) string {
			return caddyfile(server{"seamless/" + listen, front + sticky(options, targets...)})
		}
		caddy := startCaddy(t, config("pool old\ngrace_period 1h"))
		old, _ := hold(t, "127.0.0.2", listen)
		caddy.reload(t, config("pool brief\ngrace_period 1s"))
		brief, _ := hold(t, "127.0.0.2", listen)
		caddy.reload(t, config("pool none"))
		none, _ := hold(t, "127.0.0.2", listen)
		caddy.reload(t, caddyfile(server{freeAddr(t), "echo"}))

		began := time.Now()
		caddy.signal(t, syscall.SIGTERM)
		mustBeReset(t, none)
		stillServed(t, old)
		stillServed(t, brief)
		mustBeReset(t, brief)
		if took := time.Since(began); took < 900*time.Millisecond {
			t.Errorf("a grace period of 1s was over after %v", took)
		}
		stillServed(t, old)
		log := caddy.Log()
		for _, want := range []string{`"waiting for open connections"`, `"cutting open connections","pool":"brief"`} {
			if !strings.Contains(log, want) {
				t.Errorf("the log does not say %s", want)
			}
		}
		old.Close()
		<-caddy.exited
	})
}

// A further signal ends the grace period. The exit is an orderly one all the same.
func TestSecondSignalEndsGrace(t *testing.T) {
	t.Parallel()
	for _, second := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		listen, targets := freeAddr(t), greeters(t, 1)
		caddy := startCaddy(t, balance("seamless/"+listen, "grace_period 1h", targets...))
		conn, _ := hold(t, "127.0.0.2", listen)
		caddy.signal(t, syscall.SIGTERM)
		await(t, "the wait for connections", func() bool { return strings.Contains(caddy.Log(), "waiting for open connections") })
		if listens(listen) {
			t.Error("somebody listens still")
		}
		stillServed(t, conn)
		caddy.signal(t, second)
		mustBeReset(t, conn)
		<-caddy.exited
		if code := caddy.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("after %v caddy ended with %d", second, code)
		}
	}
}

// `caddy stop`, which asks the admin API, has its grace period like a signal.
func TestStopByAPI(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 1)
	caddy := startCaddy(t, balance("seamless/"+listen, "grace_period 1h", targets...))
	conn, _ := hold(t, "127.0.0.2", listen)
	answered := make(chan struct{})
	go func() { // it is answered when all is done
		defer close(answered)
		if response, err := caddy.admin.Post("http://localhost/stop", "", nil); err == nil {
			response.Body.Close()
		}
	}()
	await(t, "new connections to be refused", func() bool { return !listens(listen) })
	stillServed(t, conn)
	conn.Close()
	<-caddy.exited
	<-answered
}

// With a stop_spread the connections that are left end one after the other in the last part of the grace period, both of a client
// together, at an even pace, and none is left at its end. The log tells how many connections there are all the while.
func TestStopSpread(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	const grace, spread, parts = 8 * time.Second, 5 * time.Second, 5
	eachWay(t, func(t *testing.T, front string) {
		listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(200)
		caddy := startCaddy(t, caddyfile(server{"seamless/" + listen, front + sticky("grace_period 8s\nstop_spread 5s", targets...)}))
		conns := make([]*net.TCPConn, 2*len(ips))
		each(len(conns), func(i int) { conns[i], _ = hold(t, ips[i/2], listen) })
		began, ended := time.Now(), make([]time.Duration, len(conns))
		caddy.signal(t, syscall.SIGTERM)
		var wait sync.WaitGroup
		for i, conn := range conns {
			wait.Go(func() {
				mustBeReset(t, conn)
				ended[i] = time.Since(began)
			})
		}
		wait.Wait()
		<-caddy.exited
		if took := time.Since(began); took > grace+grace/4 || caddy.cmd.ProcessState.ExitCode() != 0 {
			t.Errorf("caddy exited after %v, with %d", took, caddy.cmd.ProcessState.ExitCode())
		}
		var counts [parts]int
		for i, at := range ended {
			if at < grace-spread {
				t.Errorf("a connection ended after %v", at)
				continue
			}
			if apart := (at - ended[i^1]).Abs(); apart > spread/2 {
				t.Errorf("the connections of a client ended %v one after the other", apart)
			}
			counts[min(int((at-(grace-spread))/(spread/parts)), parts-1)]++
		}
		t.Logf("in each second %v connections ended", counts)
		sum := 0
		for i, n := range counts {
			sum += n
			if want := len(conns) * (1 + i) / parts; sum < want-len(conns)/5 || sum > want+len(conns)/5 {
				t.Errorf("%d connections have ended after %d seconds, want about %d", sum, 1+i, want)
			}
		}
		log := caddy.Log()
		for _, want := range []string{
			`"waiting for open connections","pool":"default","grace_period":8,"connections":400,"stop_spread":5}`,
			`"still waiting for open connections","pool":"default","grace_period":8,"connections":`,
		} {
			if !strings.Contains(log, want) {
				t.Errorf("the log does not say %s", want)
			}
		}
		spreadOut := regexp.MustCompile(`"open connections were ended one after the other","pool":"default","grace_period":8,"connections":(\d+),"stop_spread":5}`)
		if found := spreadOut.FindStringSubmatch(log); found == nil || len(found[1]) < 3 || found[1] < "360" || found[1] > "400" {
			t.Errorf("the log tells of %q connections that were ended before the end, want nearly all", found)
		}
	})
}
