package legacy

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// startOf returns when a process was started, in clock ticks since the system was booted: no two processes with the same
// PID have the same. It is empty if there is no such process, or only a zombie.
func startOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The fields are counted from the state on, because the name before it may contain blanks and parentheses.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 || slices.Contains([]string{"Z", "X", "x"}, string(fields[0])) {
		return ""
	}
	return string(fields[19])
}

// network identifies the network namespace of this process. Containers have namespaces, and so ports, of their own.
func network() string {
	name, _ := os.Readlink("/proc/self/ns/net")
	return name
}

// lock waits until no other process holds the lock of the folder, and holds it until unlock is called. If that is not
// possible, the process goes on without the lock.
func lock(folder string) (unlock func()) {
	file, err := os.Open(folder)
	if err != nil {
		return func() {}
	}
	_ = unix.Flock(int(file.Fd()), unix.LOCK_EX)
	return func() { _ = file.Close() }
}

// closeOnExec keeps children of this process from inheriting descriptors other than the standard ones.
func closeOnExec() {
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) // fails on kernels before 5.11, which is harmless
}
