//go:build linux

package hostile

import (
	"fmt"
	"os"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"
)

// After the tests, all scripts are closed. Nothing is left of them.
func TestMain(m *testing.M) {
	// What processes leave becomes ours.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		panic(err)
	}
	code := m.Run()
	if code == 0 {
		if err := leftovers(); err != nil {
			fmt.Println("of scripts that were closed, there is left:", err)
			code = 1
		}
	}
	os.Exit(code)
}

// leftovers returns an error if there is a goroutine, a process, or work that goes on, also after a while: threads that were
// stopped may have to come to their end.
func leftovers() (err error) {
	for end := time.Now().Add(patience); ; {
		if err = look(); err == nil || time.Now().After(end) {
			return err
		}
	}
}

func look() error {
	if err := goleak.Find(); err != nil {
		return err
	}
	for pid := 1; pid > 0; {
		pid, _ = syscall.Wait4(-1, nil, syscall.WNOHANG, nil) // what has ended is not there
	}
	if all, err := children(); err != nil {
		return err
	} else if len(all) > 0 {
		return fmt.Errorf("the processes %v", all)
	}
	debug.FreeOSMemory()
	const span = 100 * time.Millisecond
	before, size := computed(), resident("self", "VmRSS")
	time.Sleep(span)
	if more := computed() - before; more > span/4 {
		return fmt.Errorf("%v of computing in %v", more, span)
	}
	if more := resident("self", "VmRSS") - size; more > 1<<20 {
		return fmt.Errorf("memory that grows by %d bytes in %v", more, span)
	}
	return nil
}

// computed returns for how long this process has computed.
func computed() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
