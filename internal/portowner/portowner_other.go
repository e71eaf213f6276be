//go:build !linux

package portowner

import "net/netip"

// Other returns nil, as if no other process listened: only Linux has the tables that it reads.
func Other(netip.AddrPort, bool) *Process { return nil }

// Lock does nothing on this system, where Other has no answer that a lock would protect.
func Lock(uint16) (unlock func()) { return func() {} }
