//go:build linux

package hostile

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// memoryLimit is what a script may take, and promised what it may take in fact.
const (
	memoryLimit = 32 << 20
	promised    = memoryLimit * 3 / 2
	// allocateFor is how long scripts compute that allocate slowly.
	allocateFor = 300 * time.Millisecond
)

// alone says in the environment that a test has this process for itself.
const alone = "HOSTILE_ALONE"

// inProcess runs a test in a process of its own, in which it returns true.
func inProcess(t *testing.T) bool {
	if os.Getenv(alone) != "" {
		return true
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v", "-test.timeout=5m")
	command.Env = append(os.Environ(), alone+"=1")
	output, err := command.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, output)
	} else if _, line, found := bytes.Cut(output, []byte("measured: ")); found {
		line, _, _ = bytes.Cut(line, []byte("\n"))
		t.Logf("%s", line)
	}
	return false
}

// However a script allocates, it takes no more memory than is promised, and the client for whom it does is kept out.
func TestAllocating(t *testing.T) {
	perRuntime(t, func(t *testing.T, runtime string) {
		if !inProcess(t) {
			return
		}
		measured := new(figures)
		most, of := int64(0), ""
		for _, name := range chosen(runtime, allocating, false) {
			t.Run(name, func(t *testing.T) {
				if took := allocate(t, runtime, name, measured); took > most {
					most, of = took, name
				}
			})
		}
		t.Logf("measured: memory at most %d of %d MiB (%s), %v", most>>20, memoryLimit>>20, of, measured)
	})
}

// allocate runs a script that allocates, and returns how much memory it took.
func allocate(t *testing.T, runtime, name string, measured *figures) int64 {
	b := open(t, runtime, decide.Options{MemoryLimit: memoryLimit, RunLimit: allocateFor}, allocating[name])
	if err := b.ask(slow, patience); err != nil {
		t.Fatal(err)
	}
	watch := watchMemory(t)
	stop := b.besiege(t)
	begun := time.Now()
	err := b.ask(guilty, patience)
	if err == nil || errors.Is(err, errPatience) {
		t.Errorf("the guilty client: %v", err)
	}
	measured.note("the guilty client", name, time.Since(begun))
	begun = time.Now()
	for _, host := range []string{innocent, slow} {
		if err := b.ask(host, patience); err != nil {
			t.Errorf("afterwards, %s was kept out: %v", host, err)
		}
	}
	again := time.Since(begun)
	measured.note("innocent ones afterwards", name, again)
	if again > soon {
		t.Errorf("innocent clients were decided about again after %v", again)
	}
	stop()
	took := watch()
	if took > promised+slack[runtime] {
		t.Errorf("it took %d MiB, %d more than promised", took>>20, (took-promised)>>20)
	}
	t.Logf("%d MiB: %v", took>>20, err)
	return took
}

// watchMemory returns a function that tells how much more memory than now this process has taken meanwhile, or one of its
// children.
func watchMemory(t *testing.T) (took func() int64) {
	t.Helper()
	base := resident("self", "VmRSS")
	usual := int64(0) // what a child has that has not been asked yet
	before, err := children()
	for _, child := range before {
		usual = max(usual, resident(child, "VmRSS"))
	}
	if err == nil {
		err = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // from now on, VmHWM is the most that this process has
	}
	if err != nil {
		t.Fatal(err)
	}
	over, most := make(chan struct{}), int64(0)
	var wait sync.WaitGroup
	wait.Go(func() {
		for {
			all, _ := children()
			for _, child := range all {
				most = max(most, resident(child, "VmHWM")-usual)
			}
			select {
			case <-over:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	return func() int64 {
		close(over)
		wait.Wait()
		return max(most, resident("self", "VmHWM")-base)
	}
}

// resident returns a line of the status of a process, in bytes, or 0 if it has ended.
func resident(process, line string) int64 {
	status, err := os.ReadFile("/proc/" + process + "/status")
	if err != nil {
		return 0
	}
	_, rest, found := bytes.Cut(status, []byte(line+":"))
	if !found {
		return 0
	}
	size, _ := strconv.ParseInt(string(bytes.Fields(rest)[0]), 10, 64)
	return size << 10
}

// children are the processes that this one has started.
func children() (all []string, err error) {
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err == nil && len(lists) == 0 {
		err = errors.New("this system has no lists of children")
	}
	for _, list := range lists {
		text, _ := os.ReadFile(list) // the thread may have ended
		all = append(all, strings.Fields(string(text))...)
	}
	return all, err
}
