package l4sticky

import (
	"net/netip"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
)

func TestRestoreSessions(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1", "b:1")
	defer v.quit()
	home := visit(v)
	other := map[string]string{"a:1": "b:1", "b:1": "a:1"}[home]
	addr := netip.MustParseAddr
	began := time.Now().Add(-time.Hour)
	got := v.restoreSessions([]keptSession{
		{client: visitor, target: other, expiresIn: time.Second},
		{client: addr("::ffff:192.0.2.2"), target: other, expiresIn: 20 * time.Second, since: began, moved: true},
		{client: addr("fe80::1%eth0"), target: home, expiresIn: time.Hour},
		{client: addr("192.0.2.4"), target: "c:1", expiresIn: time.Second},
		{client: addr("192.0.2.5"), target: home, expiresIn: 0},
		{client: addr("192.0.2.6"), target: home, expiresIn: -time.Second},
	})
	if want := (restoreCounts{restored: 2, unknown: 1, expired: 2, present: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	info, found := v.sessions.Peek(addr("192.0.2.2"))
	status := v.sessionStatus(info)
	if !found || status.Upstream != other || !info.Moved || status.Since.Sub(began).Abs() > time.Second || *status.ExpiresIn > 20 || *status.ExpiresIn < 15 {
		t.Errorf("the restored session is %+v, %+v", status, info)
	}
	if info, found = v.sessions.Peek(addr("fe80::1%eth0")); !found || *v.sessionStatus(info).ExpiresIn > 60 {
		t.Errorf("the session that was to live for an hour is %+v", v.sessionStatus(info))
	}
	live, idle := 0, 0
	for _, m := range v.targets.Members() {
		moreLive, moreIdle := m.Sessions.Count()
		live, idle = live+moreLive, idle+moreIdle
	}
	if live != 0 || idle != 3 {
		t.Errorf("the targets have %d live and %d idle sessions, want 0 and 3", live, idle)
	}
	if placed, restored := v.counts.sessions[session.Placed].Load(), v.counts.sessions[session.Restored].Load(); placed != 1 || restored != 2 {
		t.Errorf("counted %d placed and %d restored sessions, want 1 and 2", placed, restored)
	}
}

// TestRestoreSessionsOfPrefixes also fills the table.
func TestRestoreSessionsOfPrefixes(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
	defer v.quit()
	v.settings.options.ClientPrefix = &parse.ClientPrefix{IPv4: 24, IPv6: 64}
	v.sessions.SetLimits(time.Minute, 1)
	got := v.restoreSessions([]keptSession{
		{client: netip.MustParseAddr("192.0.2.1"), target: "a:1", expiresIn: time.Second},
		{client: netip.MustParseAddr("192.0.2.2"), target: "a:1", expiresIn: 2 * time.Second},
		{client: netip.MustParseAddr("198.51.100.1"), target: "a:1", expiresIn: time.Second / 2},
	})
	if want := (restoreCounts{restored: 1, present: 1, full: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if info, found := v.sessions.Peek(v.clientOf(netip.MustParseAddr("192.0.2.9"))); !found || *v.sessionStatus(info).ExpiresIn < 1 {
		t.Errorf("the client of the prefix has no session, or that which expires first: %+v", info)
	}
}

// TestRestoreSessionsThatExpireMeanwhile does not take them for those that there is no room for.
func TestRestoreSessionsThatExpireMeanwhile(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
	defer v.quit()
	got := v.restoreSessions([]keptSession{
		{client: netip.MustParseAddr("192.0.2.1"), target: "a:1", expiresIn: time.Minute},
		{client: netip.MustParseAddr("192.0.2.2"), target: "a:1", expiresIn: 1},
	})
	if want := (restoreCounts{restored: 1, expired: 1}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
