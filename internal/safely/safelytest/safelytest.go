package safelytest

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// patience is how long a panic may take to come.
const patience = 20 * time.Second

// InjectOnce makes the next goroutine panic that reaches a place. Panicked tells how many panics there have been since.
func InjectOnce(t testing.TB, place string) (panicked func() int64) {
	t.Helper()
	return Inject(t, place, 1)
}

// errInjected is what goroutines panic with.
var errInjected = errors.New("injected")

// Inject does the same to so many goroutines that come next. The test fails if a report of theirs has another stack than
// that of the panic.
func Inject(t testing.TB, place string, times int64) (panicked func() int64) {
	t.Helper()
	before := safely.Panics() // a goroutine may come at once
	var done atomic.Int64
	t.Cleanup(safely.Inject(func(reached string) {
		if reached == place && done.Add(1) <= times {
			panic(errInjected)
		}
	}))
	var misleading atomic.Value // the last such stack
	t.Cleanup(safely.SetReporter(func(_ string, fault any, stack []byte) {
		if text := string(stack); fault == errInjected && !strings.Contains(text, "safely.Reach") {
			misleading.Store(text)
		}
	}))
	t.Cleanup(func() {
		if stack := misleading.Load(); stack != nil {
			t.Errorf("the stack is not that of the panic: %s", stack)
		}
	})
	return func() int64 { return safely.Panics() - before }
}

// AwaitPanic waits until there has been a panic, of which there must be one only.
func AwaitPanic(t testing.TB, panicked func() int64) {
	t.Helper()
	for deadline := time.Now().Add(patience); panicked() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("there is no panic")
		}
	}
	if n := panicked(); n != 1 {
		t.Errorf("%d panics", n)
	}
}
