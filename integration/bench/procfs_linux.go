package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// members returns the processes of a group, and those that these have started. Each balancer is started as the leader of a
// group of its own, in which its workers stay even when the process that made them is gone.
func members(group int) ([]int, error) {
	folder, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	names, err := folder.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var found []int
	parents := make(map[int]int)
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it has ended
		}
		// The command before the last parenthesis may contain anything. Then come state, parent and group.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 3 || fields[0] == "Z" {
			continue
		}
		if fields[2] == strconv.Itoa(group) {
			found = append(found, pid)
		} else if parents[pid], err = strconv.Atoi(fields[1]); err != nil {
			return nil, fmt.Errorf("the parent of process %d: %w", pid, err)
		}
	}
	for again := true; again; { // until nothing is added
		again = false
		for pid, parent := range parents {
			if slices.Contains(found, parent) {
				found, again = append(found, pid), true
				delete(parents, pid)
			}
		}
	}
	return found, nil
}

// groupCPU returns the processor time that the living processes of a group have used, system time included.
func groupCPU(group int) (time.Duration, error) {
	pids, err := members(group)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range pids {
		// The clock of a process counts nanoseconds, of its ended threads as well; /proc has ticks of 10 ms.
		var t unix.Timespec
		switch err := unix.ClockGettime(int32(^pid<<3|2), &t); err {
		case nil:
			sum += time.Duration(t.Nano())
		case syscall.EINVAL, syscall.ESRCH: // it has ended
		default:
			return 0, fmt.Errorf("reading the clock of process %d: %w", pid, err)
		}
	}
	return sum, nil
}

// groupRSS returns the resident memory of a group in bytes.
func groupRSS(group int) (int, error) {
	pids, err := members(group)
	if err != nil {
		return 0, err
	}
	pages := 0
	for _, pid := range pids {
		statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			continue // it has ended
		}
		if fields := strings.Fields(string(statm)); len(fields) > 1 {
			resident, err := strconv.Atoi(fields[1])
			if err != nil {
				return 0, fmt.Errorf("reading the memory of process %d: %w", pid, err)
			}
			pages += resident
		}
	}
	return pages * os.Getpagesize(), nil
}
