package legacy

import (
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/windows"
)

// detached gives a child no console, so that it outlives this one.
func detached() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP | windows.DETACHED_PROCESS}
}

// Windows decides by itself which user may write where, so the checks of files always succeed.

func isOwned(fs.FileInfo) bool { return true }

func hasOneName(fs.FileInfo) bool { return true }

const openItself = 0

// exists reports whether there is a process with the PID.
func exists(pid int) bool {
	process, err := os.FindProcess(pid)
	if err != nil {
		return false
	}
	_ = process.Release()
	return true
}

// terminate ends a process. Windows has no way to ask another console's process to end.
func terminate(process *os.Process) error {
	return process.Kill()
}
