package parse

import (
	"net/netip"
	"regexp"
)

var (
	// hostName takes underscores as well, which names within many networks have.
	hostName = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.)*[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?\.?$`)
	zone     = regexp.MustCompile(`^[A-Za-z0-9._-]*$`)
	// endsInNumber matches what can only be meant as an IPv4 address.
	endsInNumber = regexp.MustCompile(`(^|\.)[0-9]+\.?$`)
)

// IsHost reports whether text is the name of a host or an IP address, alone: without port, brackets, blanks
// or placeholders.
func IsHost(text string) bool {
	if address, err := netip.ParseAddr(text); err == nil {
		return zone.MatchString(address.Zone())
	}
	return len(text) <= 253 && hostName.MatchString(text) && !endsInNumber.MatchString(text)
}
