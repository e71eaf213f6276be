package scripttest

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// Journal keeps what is logged. The zero value is ready for use.
type Journal struct {
	mu    sync.Mutex
	text  bytes.Buffer
	fresh chan struct{}
}

func (j *Journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.fresh != nil {
		close(j.fresh)
		j.fresh = nil
	}
	return j.text.Write(p)
}

// String returns what was logged.
func (j *Journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// Clear forgets what was logged.
func (j *Journal) Clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.text.Reset()
}

// Await waits until something is logged.
func (j *Journal) Await(t testing.TB, what string) {
	t.Helper()
	limit := time.After(Patience)
	for {
		j.mu.Lock()
		found := strings.Contains(j.text.String(), what)
		if j.fresh == nil {
			j.fresh = make(chan struct{})
		}
		fresh := j.fresh
		j.mu.Unlock()
		if found {
			return
		}
		select {
		case <-fresh:
		case <-limit:
			t.Fatalf("%q was not logged, but\n%s", what, j)
		}
	}
}
