package node

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// attributes has the process end with the thread that starts it, and get no signals of Caddy's terminal.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// wait waits for the end of a process, and ends what that has started and not detached. Only then the number of the group
// may be that of another one.
func wait(command *exec.Cmd) {
	pid := command.Process.Pid
	for unix.Waitid(unix.P_PID, pid, nil, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
	}
	_ = unix.Kill(-pid, unix.SIGKILL)
	_ = command.Wait() // the state tells more
}

// dropRights keeps what the calling thread starts from having capabilities that Caddy may have, and from getting any.
func dropRights() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no_new_privs: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("ambient capabilities: %w", err)
	}
	return nil
}

const (
	// A process may have limitParts/8 of the memory limit as data, and limitMore for what Node.js needs later, such as stacks
	// of threads: at most one and a half of the limit, if that is at least 64 MiB.
	limitParts, limitMore = 11, 8 << 20
	// mostReserved is what a process may have as data at first, if its data is to be limited: since version 24 Node.js
	// reserves half a GiB for each thread that runs JavaScript, and uses next to nothing of it.
	mostReserved = 256 << 20
)

// limit bounds the data of a process that has not loaded anything yet, since --max-old-space-size is about the heap only, and returns
// the memory that it uses. It leaves no core files of processes that run out of memory.
func limit(pid int, memory int64) (used int64, err error) {
	used, data, err := memoryOf(pid)
	if err == nil && data < mostReserved {
		err = lower(pid, unix.RLIMIT_DATA, uint64(data+memory/8*limitParts+limitMore))
	}
	if err == nil {
		err = lower(pid, unix.RLIMIT_CORE, 0)
	}
	return used, err
}

// memoryOf returns the memory that a process has for itself alone, and what it has reserved as data, in bytes.
func memoryOf(pid int) (used, data int64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0, 0, err
	}
	var all, resident, shared, code, libraries int64
	_, err = fmt.Sscan(string(text), &all, &resident, &shared, &code, &libraries, &data)
	page := int64(os.Getpagesize())
	return (resident - shared) * page, data * page, err
}

// lower makes a limit of a process a lower one.
func lower(pid, resource int, most uint64) error {
	var old unix.Rlimit
	err := unix.Prlimit(pid, resource, nil, &old)
	if err == nil && old.Max > most {
		err = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil)
	}
	if err != nil {
		return fmt.Errorf("limit %d of the script's process: %w", resource, err)
	}
	return nil
}

// newMarkFile returns a file of no name.
func newMarkFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("script", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "mark"), nil
}
