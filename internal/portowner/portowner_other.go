//go:build !linux

package portowner

import "net/netip"

// Other returns nil, as if no other process listened, since only Linux tells.
func Other(netip.AddrPort, bool) *Process { return nil }

// Lock does nothing on this system, where nobody looks who has the port.
func Lock(uint16) (unlock func()) { return func() {} }
