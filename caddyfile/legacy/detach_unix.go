//go:build unix

package legacy

import (
	"errors"
	"os"
	"syscall"
)

// detached gives a child a session of its own, so that it outlives the terminal.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true}
}

// exists tells whether there is a process with the PID, whoever owns it.
func exists(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// terminate asks a process to end.
func terminate(process *os.Process) error {
	return process.Signal(syscall.SIGTERM)
}
