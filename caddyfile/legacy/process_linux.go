package legacy

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// startOf returns when a process was started, in the system's own terms: no two processes with one PID have the same.
// It is empty if there is none, or one that has ended and waits for its parent to notice.
func startOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The fields count from the state on, since the name before it may have anything in it.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 || slices.Contains([]string{"Z", "X", "x"}, string(fields[0])) {
		return ""
	}
	return string(fields[19])
}

// network names the network that this process listens on, as containers have their own.
func network() string {
	name, _ := os.Readlink("/proc/self/ns/net")
	return name
}

// lock waits for a folder that other processes lock as well. Where that can't be done they do without.
func lock(folder string) (unlock func()) {
	file, err := os.Open(folder)
	if err != nil {
		return func() {}
	}
	_ = unix.Flock(int(file.Fd()), unix.LOCK_EX)
	return func() { _ = file.Close() }
}

// closeOnExec keeps the descriptors that this process was given from its children, but for the standard ones.
func closeOnExec() {
	_ = unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC) // older kernels don't have it
}
