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

// exists tells whether there is a process of this user's with the PID.
func exists(pid int) bool { return syscall.Kill(pid, 0) == nil }

// terminate asks a process to end.
func terminate(process *os.Process) error {
	return process.Signal(syscall.SIGTERM)
}
