//go:build !linux

package freeport

import "io"

// unreserved is a port on a system where processes can't agree: other processes may get it too.
type unreserved struct{}

func (unreserved) Close() error { return nil }

func reserve(int) (io.Closer, error) { return unreserved{}, nil }

// noForks does nothing: on this system opening a socket takes the lock itself.
func noForks() (allow func()) { return func() {} }
