package l4sticky

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

func TestDialResults(t *testing.T) {
	for _, c := range []struct {
		err  error
		want target.DialResult
	}{
		{syscall.ECONNREFUSED, target.DialRefused},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, target.DialUnreachable},
		{syscall.ECONNRESET, target.DialReset},
		{syscall.ETIMEDOUT, target.DialTimeout},
		{os.ErrDeadlineExceeded, target.DialTimeout},
		{fmt.Errorf("dialling: %w", context.DeadlineExceeded), target.DialTimeout},
		{&net.DNSError{Err: "no such host", IsNotFound: true}, target.DialUnresolved},
		{&net.DNSError{Err: "socket: too many open files"}, target.DialLocal},
		{syscall.EMFILE, target.DialLocal},
		{syscall.EADDRNOTAVAIL, target.DialLocal},
		{safely.ErrPanic, target.DialLocal},
		{syscall.EPERM, target.DialFailed},
		{errors.New("anything"), target.DialFailed},
	} {
		if got := resultOf(c.err); got != c.want {
			t.Errorf("%v is %v, want %v", c.err, got, c.want)
		}
	}
}
