package integration

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Without descriptors a seamless listener lets clients wait, says so once a second at most, and goes on when there
// are some again. Those who are in don't notice.
func TestOutOfDescriptors(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		listen, echo, target := freeAddr(t), freeAddr(t), startTarget(t, "a", greet("a"))
		caddy := startCaddy(t, caddyfile(server{"seamless/" + listen, front + sticky("", target)}, server{echo, "echo"}))
		limit := caddy.limitDescriptors(t, 100)
		var inside, outside []*net.TCPConn
		for _, ip := range clientIPs(30) {
			conn, _ := hold(t, ip, listen)
			inside = append(inside, conn)
		}
		for caddy.freeDescriptors(t, limit) > 0 {
			mustEcho(t, dialFrom(t, "127.0.0.1", echo)) // takes one
		}
		for _, ip := range clientIPs(10) {
			outside = append(outside, dialFrom(t, ip, listen))
		}
		mustComplain(t, caddy)
		for _, conn := range inside {
			mustEcho(t, conn)
		}
		if n := target.accepted.Load(); int(n) != len(inside) {
			t.Errorf("%d connections came to the target, want %d", n, len(inside))
		}

		for _, conn := range inside[5:] {
			conn.Close()
		}
		for _, conn := range outside {
			if name := mustReadLine(t, conn); name != "a" {
				t.Errorf("%q greeted", name)
			}
		}
		whoEach(t, clientIPs(5), listen)
		for _, conn := range inside[:5] {
			mustEcho(t, conn)
		}
	})
}

// mustComplain waits for some log lines that say that no connection can be accepted, and looks at the pauses.
func mustComplain(t testing.TB, caddy *balancerProcess) {
	t.Helper()
	var complaints []time.Time
	await(t, "some complaints", func() bool {
		complaints = caddy.complaints(t)
		return len(complaints) >= 4
	})
	for i, at := range complaints[1:] {
		if pause := at.Sub(complaints[i]); pause < 990*time.Millisecond {
			t.Errorf("%v between two complaints", pause)
		}
	}
}

// Clients that come and go while the balancer runs out of descriptors again and again may be turned away, but the
// service is there when they are gone, and no target is blamed.
func TestOutOfDescriptorsUnderLoad(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		listen, target, ips := freeAddr(t), startTarget(t, "a", greet("a")), clientIPs(200)
		caddy := startCaddy(t, caddyfile(server{"seamless/" + listen, front + sticky("", target)}))
		conn, _ := hold(t, ips[0], listen)
		caddy.limitDescriptors(t, 20)
		each(400, func(i int) {
			conn, err := tryDial(ips[i%len(ips)], listen)
			if err != nil {
				t.Error(err) // the kernel takes clients in, whatever the balancer does
				return
			}
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
			_, _ = io.Copy(io.Discard, conn)
		})
		if len(caddy.complaints(t)) == 0 {
			t.Error("the balancer had descriptors enough")
		}
		mustEcho(t, conn)
		for _, ip := range ips[:20] {
			await(t, "the others to be gone", func() bool { return target.open() == 1 })
			who(t, ip, listen)
		}
		if strings.Contains(caddy.Log(), "deactivated") {
			t.Error("a target was blamed for what the balancer lacks")
		}
	})
}

// limitDescriptors leaves the process so many free descriptors, and returns the limit. It is one of their numbers, of
// which the lowest free one is taken.
func (p *balancerProcess) limitDescriptors(t testing.TB, free int) (limit int) {
	t.Helper()
	for limit = 1; p.freeDescriptors(t, limit) < free; {
		limit++
	}
	rlimit := unix.Rlimit{Cur: uint64(limit), Max: uint64(limit)}
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_NOFILE, &rlimit, nil); err != nil {
		t.Fatal(err)
	}
	return limit
}

// freeDescriptors counts the numbers below a limit that are no open descriptors.
func (p *balancerProcess) freeDescriptors(t testing.TB, limit int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	free := limit
	for _, entry := range entries {
		if number, _ := strconv.Atoi(entry.Name()); number < limit {
			free--
		}
	}
	return free
}

// complaints returns when the process has logged that it can't accept connections.
func (p *balancerProcess) complaints(t testing.TB) []time.Time {
	t.Helper()
	var times []time.Time
	for line := range strings.Lines(p.Log()) {
		var entry struct {
			Time  float64 `json:"ts"`
			Error string  `json:"error"`
		}
		if !strings.Contains(line, "accepting a connection") || json.Unmarshal([]byte(line), &entry) != nil {
			continue
		}
		if !strings.Contains(entry.Error, "too many open files") {
			t.Errorf("accepting failed with %q", entry.Error)
		}
		times = append(times, time.UnixMicro(int64(entry.Time*1e6)))
	}
	return times
}
