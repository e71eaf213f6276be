package l4sticky

import (
	"net/netip"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A keptSession is a session that was kept outside of the table of a pool: over a restart of Caddy, or by an operator.
type keptSession struct {
	client netip.Addr
	// target is the address by which the admin API names the target.
	target string
	// expiresIn is for how long the session lives on. More than the session_expiry counts as that.
	expiresIn time.Duration
	// since is when the session began; the zero value means now.
	since time.Time
	// moved means that the client has left the target where it was placed.
	moved bool
}

// restoreCounts are how many sessions were restored, and how many were left out and why.
type restoreCounts struct {
	restored int
	unknown  int // the config does not have their target
	expired  int
	present  int // their client has a session, or they are of one client
	full     int // the table has no room for them
}

// add adds what became of other sessions.
func (n *restoreCounts) add(other restoreCounts) {
	n.restored += other.restored
	n.unknown += other.unknown
	n.expired += other.expired
	n.present += other.present
	n.full += other.full
}

// restoreSessions puts sessions into the pool's table, as idle ones, where a client has none and there is room; of these sessions
// those that expire last are preferred. The clients are known by their prefixes, if the config has client_prefix. The placement must
// be one that has sessions. It may be called at any time, also while clients come and go; it takes about a microsecond for
// each session, and connections wait for a slice of that at most.
func (c *poolConfig) restoreSessions(kept []keptSession) (n restoreCounts) {
	targets := c.targetsByAddress()
	expiry, now := time.Duration(c.settings.options.SessionExpiry), monotonic()
	infos := make([]session.Info[*target.Target], 0, len(kept))
	for _, k := range kept {
		to := targets[k.target]
		switch {
		case to == nil:
			n.unknown++
		case k.expiresIn <= 0:
			n.expired++
		default:
			info := session.Info[*target.Target]{Client: c.clientOf(k.client.Unmap()), Target: to, Moved: k.moved, Since: now}
			info.IdleSince = now - expiry + min(k.expiresIn, expiry)
			if !k.since.IsZero() {
				info.Since = k.since.Sub(started)
			}
			infos = append(infos, info)
		}
	}
	n.restored = c.sessions.Restore(infos)
	if left := len(infos) - n.restored; left > 0 {
		present, expired := c.leftOut(infos)
		n.present = min(left, max(0, present-n.restored))
		expired = min(left-n.present, expired)
		n.expired += expired
		n.full = left - n.present - expired
	}
	return n
}

// targetsByAddress returns the targets of a config by the addresses by which the admin API names them.
func (c *poolConfig) targetsByAddress() map[string]*target.Target {
	targets := make(map[string]*target.Target)
	for _, m := range c.targets.Members() {
		targets[m.Config.Address.String()] = m.Target
	}
	return targets
}

// leftOut returns how many of some sessions are of clients that have one in the table, and how many others have expired meanwhile.
func (c *poolConfig) leftOut(infos []session.Info[*target.Target]) (present, expired int) {
	now, expiry := monotonic(), time.Duration(c.settings.options.SessionExpiry)
	for _, i := range infos {
		if _, found := c.sessions.Peek(i.Client); found {
			present++
		} else if now-i.IdleSince >= expiry {
			expired++
		}
	}
	return present, expired
}
