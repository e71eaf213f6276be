package l4sticky

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// The sessions at each target are counted, whatever becomes of them.
func TestSessionCount(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1", "b:1")
	defer v.quit()
	must := func(when string, want ...int) {
		t.Helper()
		var got []int
		for _, m := range v.targets.Members() {
			live, idle := m.Sessions.Count()
			got = append(got, live, idle)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: sessions live and idle are %v, want %v", when, got, want)
		}
	}
	members := v.targets.Members()
	at := func(m *target.Member) func(*target.Member) bool { return m.Is }
	clients := [...]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	var sessions []*clientSession
	for _, client := range clients {
		s, _ := v.acquire(client, 0)
		must("before a target is chosen", len(sessions), 0, 0, 0)
		v.settle(s, client, at(members[0]))
		sessions = append(sessions, s)
	}
	must("at a", 2, 0, 0, 0)
	v.settle(sessions[0], clients[0], at(members[1]))
	must("one has moved", 1, 0, 1, 0)
	v.sessions.Release(sessions[0])
	must("it is idle", 1, 0, 0, 1)
	again, _ := v.acquire(clients[0], 0)
	must("it is back", 1, 0, 1, 0)
	detached := v.sessions.Detached()
	v.settle(detached, clients[0], at(members[0]))
	v.sessions.Release(detached)
	must("a connection without a session", 1, 0, 1, 0)
	v.sessions.Release(again)
	v.sessions.Release(sessions[1])
	must("both are idle", 0, 1, 0, 1)
	v.sessions.SetLimits(time.Minute, 1)
	third, _ := v.acquire(netip.MustParseAddr("192.0.2.3"), 0)
	must("the table was full", 0, 0, 0, 0)
	v.sessions.Release(third)
	s, _ := v.acquire(clients[0], 0)
	v.settle(s, clients[0], at(members[0]))
	v.sessions.Release(s)
	v.sessions.SetLimits(1, 9)
	s, _ = v.acquire(clients[0], 0)
	must("it is expired", 0, 0, 0, 0)
	v.sessions.Release(s)
}
