//go:build unix

package legacy

import (
	"io/fs"
	"os"
	"syscall"
)

// detached puts a child into a session of its own, so that it outlives the terminal.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true}
}

// isOwned reports whether a file belongs to the effective user of this process.
func isOwned(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// hasOneName reports whether a file has no further hard links.
func hasOneName(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 1
}

// openItself makes open fail for a symbolic link, and return at once for a FIFO without a reader.
const openItself = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// exists reports whether there is a process with the PID that belongs to this user.
func exists(pid int) bool { return syscall.Kill(pid, 0) == nil }

// terminate asks a process to end.
func terminate(process *os.Process) error {
	return process.Signal(syscall.SIGTERM)
}
