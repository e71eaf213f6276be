package l4sticky

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// dialErrors tell what an error of the system means.
var dialErrors = map[syscall.Errno]target.DialResult{
	syscall.ECONNREFUSED:  target.DialRefused,
	syscall.ECONNRESET:    target.DialReset,
	syscall.ETIMEDOUT:     target.DialTimeout,
	syscall.EHOSTUNREACH:  target.DialUnreachable,
	syscall.ENETUNREACH:   target.DialUnreachable,
	syscall.EHOSTDOWN:     target.DialUnreachable,
	syscall.ENETDOWN:      target.DialUnreachable,
	syscall.ENOENT:        target.DialRefused, // a Unix socket that is not there
	syscall.EADDRNOTAVAIL: target.DialLocal,
}

// resultOf returns what became of a dial that failed.
func resultOf(err error) target.DialResult {
	var errno syscall.Errno
	var lookup *net.DNSError
	switch {
	case isExhausted(err), errors.Is(err, safely.ErrPanic):
		return target.DialLocal
	case errors.As(err, &lookup):
		return target.DialUnresolved
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return target.DialTimeout
	case errors.As(err, &errno):
		if result, known := dialErrors[errno]; known {
			return result
		}
	}
	return target.DialFailed
}
