//go:build unix

package legacy

import (
	"io/fs"
	"os"
	"syscall"
)

// detached gives a child a session of its own, so that it outlives the terminal.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true}
}

// isOwned tells whether a file belongs to the user whom this process acts as.
func isOwned(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}

// hasOneName tells whether a file has no hard links.
func hasOneName(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Nlink == 1
}

// openItself opens no file that a symbolic link names, and waits for nobody at the other end of a FIFO.
const openItself = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// exists tells whether there is a process of this user's with the PID.
func exists(pid int) bool { return syscall.Kill(pid, 0) == nil }

// terminate asks a process to end.
func terminate(process *os.Process) error {
	return process.Signal(syscall.SIGTERM)
}
