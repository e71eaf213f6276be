//go:build amd64 || arm64

package quickjs

import "golang.org/x/sys/windows"

// region is memory that is not Go's. What is not committed takes none of the system's.
type region struct{ address, size uintptr }

func reserve(size uintptr) (region, error) {
	address, err := windows.VirtualAlloc(0, size, windows.MEM_RESERVE, windows.PAGE_NOACCESS)
	return region{address, size}, err
}

func (r region) base() uintptr { return r.address }

func (r region) commit(from, size uintptr) error {
	_, err := windows.VirtualAlloc(r.address+from, size, windows.MEM_COMMIT, windows.PAGE_READWRITE)
	return err
}

// protect makes every access fault.
func (r region) protect() error {
	return windows.VirtualFree(r.address, r.size, windows.MEM_DECOMMIT)
}

func (r region) release() { _ = windows.VirtualFree(r.address, 0, windows.MEM_RELEASE) }
