// Package clientip returns the IP address by which a client is known, so that all parts of the balancer mean the same
// client by the same address, whichever kind of connection it has and whether an IPv6 socket accepted it.
//
// It keeps no state: Of may be called on any goroutine.
package clientip
