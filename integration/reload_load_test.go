package integration

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// Connections that talk all the time lose nothing over many reloads.
func TestReloadUnderTraffic(t *testing.T) {
	t.Parallel()
	listen, targets := freeAddr(t), greeters(t, 3)
	caddy := startCaddy(t, balance(listen, "", targets...))
	stop := talkers(t, 20, listen)
	for i := range 10 {
		caddy.reload(t, balance(listen, "", targets[i%3:]...))
	}
	stop()
}

// talkers opens n connections that exchange lines until they are stopped, which returns when the last one has had
// its last echo.
func talkers(t testing.TB, n int, listen string) (stop func()) {
	t.Helper()
	var stopped atomic.Bool
	var wg sync.WaitGroup
	for _, ip := range clientIPs(n) {
		conn, _ := hold(t, ip, listen)
		wg.Go(func() { talk(t, conn, ip, &stopped) })
	}
	return func() {
		stopped.Store(true)
		wg.Wait()
	}
}

func talk(t testing.TB, conn *net.TCPConn, ip string, stopped *atomic.Bool) {
	lines := bufio.NewReader(conn)
	for turn := 0; ; turn++ {
		last := stopped.Load()
		message := ip + strings.Repeat("x", turn%1000) + "\n"
		_ = conn.SetDeadline(time.Now().Add(patience))
		_, writeErr := io.WriteString(conn, message)
		echo, readErr := lines.ReadString('\n')
		if err := errors.Join(writeErr, readErr); err != nil || echo != message {
			t.Errorf("turn %d: sent %q, got %q, %v", turn, message, echo, err)
			return
		}
		if last {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// On a listener that keeps its socket, reload after reload costs nobody anything: neither those who come all the
// time, as fast as they are served, nor those who stay.
func TestReloadUnderFullLoad(t *testing.T) {
	t.Parallel()
	const interval = 100 * time.Millisecond
	duration := 6 * time.Second
	if testing.Short() {
		duration = 3 * time.Second
	}
	listen, targets := freeAddr(t), greeters(t, 3)
	config := func(turn int) string { // a different one each time, or Caddy would keep the old one
		return balance("seamless/"+listen, fmt.Sprintf("max_sessions %d", 10000+turn), targets...)
	}
	caddy := startCaddy(t, config(0))
	stopTalkers, stopVisitors := talkers(t, 40, listen), visitors(t, 8, listen)

	reloads, tick, end := 0, time.NewTicker(interval), time.After(duration)
	defer tick.Stop()
	for loading := true; loading; {
		select {
		case <-end:
			loading = false
		case <-tick.C:
			reloads++
			caddy.reload(t, config(reloads))
		}
	}
	served := stopVisitors()
	stopTalkers()
	t.Logf("%d reloads, %d connections", reloads, served)
	// A busy machine may be slower, but with fewer there is nothing proven.
	if enough := int(duration / interval / 5); reloads < enough || served < 20*reloads {
		t.Errorf("there were only %d reloads and %d connections", reloads, served)
	}
}

// visitors has n clients at a time come, be greeted, have a line echoed and leave, until they are stopped. Stop
// returns how many were served.
func visitors(t testing.TB, n int, listen string) (stop func() int) {
	var stopped atomic.Bool
	var served, lost atomic.Int64
	var wg sync.WaitGroup
	ips := clientIPs(50 * n)
	for i := range n {
		wg.Go(func() {
			for turn := 0; !stopped.Load(); turn++ {
				if err := askAgain(ips[50*i+turn%50], listen); err == nil {
					served.Add(1)
				} else if lost.Add(1) <= 5 {
					t.Errorf("a client was lost after %d were served: %v", served.Load(), err)
				}
			}
		})
	}
	return func() int {
		stopped.Store(true)
		wg.Wait()
		if n := lost.Load(); n > 0 {
			t.Errorf("%d clients were lost", n)
		}
		return int(served.Load())
	}
}

// askAgain is a client that gets its greeting and an echo.
func askAgain(ip, listen string) error {
	conn, err := tryDial(ip, listen)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := readLine(conn); err != nil {
		return fmt.Errorf("the greeting for %s: %w", ip, err)
	}
	if _, err := io.WriteString(conn, "hello\n"); err != nil {
		return err
	}
	if echo, err := readLine(conn); echo != "hello" {
		return fmt.Errorf("the echo for %s: %q, %w", ip, echo, err)
	}
	return nil
}
