//go:build (darwin || freebsd || linux) && (amd64 || arm64)

package quickjs

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// region is memory that is not Go's. What is not committed takes none of the system's.
type region []byte

func reserve(size uintptr) (region, error) {
	return unix.Mmap(-1, 0, int(size), unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

func (r region) base() uintptr { return uintptr(unsafe.Pointer(&r[0])) }

func (r region) commit(from, size uintptr) error {
	return unix.Mprotect(r[from:from+size], unix.PROT_READ|unix.PROT_WRITE)
}

// protect makes every access fault.
func (r region) protect() error { return unix.Mprotect(r, unix.PROT_NONE) }

func (r region) release() { _ = unix.Munmap(r) }
