//go:build !linux

package l4sticky

import "syscall"

// isV6Only is not asked for on this system, where nobody looks who has a port.
func isV6Only(syscall.RawConn) bool { return false }
