//go:build !linux

package l4sticky

import "syscall"

// isV6Only is not asked for on this system, which does not tell which process has a port.
func isV6Only(syscall.RawConn) bool { return false }
