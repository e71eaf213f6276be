package embedded

import (
	"errors"
	"io/fs"
	"syscall"
)

// errnos are the errors of the system that Node gives a code and a text.
var errnos = []struct {
	errno      syscall.Errno
	code, text string
}{
	{syscall.ENOENT, "ENOENT", "no such file or directory"},
	{syscall.EACCES, "EACCES", "permission denied"},
	{syscall.EPERM, "EPERM", "operation not permitted"},
	{syscall.EISDIR, "EISDIR", "illegal operation on a directory"},
	{syscall.ENOTDIR, "ENOTDIR", "not a directory"},
	{syscall.EROFS, "EROFS", "read-only file system"},
	{syscall.ELOOP, "ELOOP", "too many symbolic links encountered"},
	{syscall.EMFILE, "EMFILE", "too many open files"},
	{syscall.ENFILE, "ENFILE", "file table overflow"},
	{syscall.EFBIG, "EFBIG", "file too large"},
	{syscall.ENAMETOOLONG, "ENAMETOOLONG", "name too long"},
	{syscall.EINVAL, "EINVAL", "invalid argument"},
	{syscall.EBADF, "EBADF", "bad file descriptor"},
	{syscall.EIO, "EIO", "i/o error"},
	{syscall.ENXIO, "ENXIO", "no such device or address"},
	{syscall.ENODEV, "ENODEV", "no such device"},
	{syscall.ENOMEM, "ENOMEM", "not enough memory"},
	{syscall.ECONNREFUSED, "ECONNREFUSED", "connection refused"},
	{syscall.ECONNRESET, "ECONNRESET", "connection reset by peer"},
	{syscall.ECONNABORTED, "ECONNABORTED", "software caused connection abort"},
	{syscall.ENOTCONN, "ENOTCONN", "socket is not connected"},
	{syscall.EPIPE, "EPIPE", "broken pipe"},
	{syscall.ETIMEDOUT, "ETIMEDOUT", "connection timed out"},
	{syscall.EHOSTUNREACH, "EHOSTUNREACH", "host is unreachable"},
	{syscall.ENETUNREACH, "ENETUNREACH", "network is unreachable"},
	{syscall.EADDRINUSE, "EADDRINUSE", "address already in use"},
	{syscall.EADDRNOTAVAIL, "EADDRNOTAVAIL", "address not available"},
	{syscall.EAFNOSUPPORT, "EAFNOSUPPORT", "address family not supported"},
	{syscall.EPROTO, "EPROTO", "protocol error"},
}

// errnoOf finds the code, the text and the number of an error of the system. The code is empty if it is none.
func errnoOf(err error) (code, text string, number int) {
	for _, e := range errnos {
		if errors.Is(err, e.errno) {
			return e.code, e.text, -int(e.errno)
		}
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errnoOf(syscall.ENOENT)
	case errors.Is(err, fs.ErrPermission):
		return errnoOf(syscall.EACCES)
	}
	return "", "", 0
}

// systemErrors lists codes, numbers and texts for scripts.
func (e *engine) systemErrors() any {
	list := make([]any, len(errnos))
	for i, one := range errnos {
		list[i] = e.vm.NewArray(one.code, -int(one.errno), one.text)
	}
	return e.vm.NewArray(list...)
}

func (e *engine) utilBinding() map[string]any {
	return map[string]any{"systemErrors": e.systemErrors()}
}
