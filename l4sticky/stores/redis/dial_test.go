package redis

import (
	"testing"
	"testing/synctest"
	"time"
)

// The attempts to connect to a server are bounded, each server's by themselves.
func TestDialsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDialer(t.Context())
		count := func(address string) (n int) {
			for d.allow(address) {
				n++
			}
			return n
		}
		if n, m := count("a:1"), count("b:1"); n != dialsAtOnce || m != dialsAtOnce {
			t.Errorf("%d and %d at once", n, m)
		}
		time.Sleep(10 * dialPause)
		if n := count("a:1"); n != 10 {
			t.Errorf("%d after ten pauses", n)
		}
		for i := range 2 * maxServers {
			d.allow(string(rune('a' + i)))
		}
		if len(d.servers) > maxServers {
			t.Errorf("%d servers are remembered", len(d.servers))
		}
	})
}
