//go:build unix && !linux

package node

import (
	"os"
	"os/exec"
	"syscall"
)

func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

// wait waits for the end of a process, and ends what that has started and not detached.
func wait(command *exec.Cmd) {
	_ = command.Wait() // the state tells more
	_ = syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
}

func dropRights() error { return nil }

func limit(int, int64) (used int64, err error) { return 0, nil }

func memoryOf(int) (used, data int64, err error) { return 0, 0, nil }

// newMarkFile returns a file of no name.
func newMarkFile() (*os.File, error) {
	file, err := os.CreateTemp("", "script")
	if err != nil {
		return nil, err
	}
	return file, os.Remove(file.Name())
}
