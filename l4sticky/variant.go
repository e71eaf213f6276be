package l4sticky

import (
	"net"
	"net/netip"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/clientip"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// client returns the address by which a connection's client is known. It returns an invalid one for a peer without an
// IP address, on a Unix socket.
func (v *variant) client(remote net.Addr) netip.Addr {
	client := clientip.Of(remote)
	bits := v.settings.options.ClientPrefix.IPv6
	if client.Is4() {
		bits = v.settings.options.ClientPrefix.IPv4
	}
	if bits >= client.BitLen() {
		return client
	}
	prefix, err := client.Prefix(bits)
	if err != nil {
		return client
	}
	return prefix.Addr()
}

// acquire returns the client's session for one more connection, or false if the client has as many as the limit allows;
// zero means no limit. The caller must give the session back to v.sessions.Release.
func (v *variant) acquire(client netip.Addr, limit int) (*clientSession, bool) {
	if !v.targets.Placement().Sticky || !client.IsValid() {
		return v.sessions.Detached(), true
	}
	return v.sessions.AcquireWithin(client, limit)
}

// settle returns the session's target. If that is not usable for this connection, it moves the session to one that is,
// and returns nil if there is none. Connections of a client that settle at the same time get the same target.
func (v *variant) settle(s *clientSession, client netip.Addr, usable func(*target.Member) bool) *target.Member {
	agreed := v.sessions.Settle(s,
		func(t *target.Target) bool {
			m := v.targets.Member(t)
			return m != nil && usable(m)
		},
		func() *target.Target {
			if m := v.targets.Place(client, usable); m != nil {
				return m.Target
			}
			return nil
		})
	return v.targets.Member(agreed)
}

// move makes m the session's target.
func (v *variant) move(s *clientSession, m *target.Member) {
	v.sessions.Settle(s,
		func(t *target.Target) bool { return t == m.Target },
		func() *target.Target { return m.Target })
}

// deactivate keeps new connections away from the target for the deactivation_duration, and logs the reason.
func (v *variant) deactivate(m *target.Member, logger *zap.Logger, reason error) {
	if m.Deactivate(v.deactivation) {
		logger.Warn("upstream deactivated",
			zap.Stringer("upstream", m.Config.Address),
			zap.Duration("duration", v.deactivation),
			zap.Error(reason))
	}
}
