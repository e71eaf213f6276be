//go:build unix

package embedded

import "golang.org/x/sys/unix"

// access asks the system whether a file may be used so.
func access(path string, mode uint32) error { return unix.Access(path, mode) }
