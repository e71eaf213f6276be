//go:build unix

package node

import (
	"fmt"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// end waits for the end of the process, and keeps out the clients whose fault it was.
func (e *engine) end() {
	defer close(e.done)
	e.err = safely.ErrPanic // unless this comes to an end
	<-e.process.exited
	safely.Reach("script end")
	// What the process has written comes first. A process that it has started may still hold its output.
	read := make(chan struct{})
	go safely.Do("script output", func() {
		defer close(read)
		e.readers.Wait()
	})
	select {
	case <-read:
	case <-time.After(patience):
	}
	e.fail(e.cause())
	e.mu.Lock()
	e.err = e.failure
	e.mu.Unlock()
	e.script.Blame(uint32(e.process.mark.read()), e.err)
	e.process.close()
	<-read
	e.workers.Wait()
	e.process.mark.close()
}

// cause says why the process ended by itself.
func (e *engine) cause() error {
	if e.noRoom.Load() {
		return e.tooMuch()
	}
	return fmt.Errorf("the script's process ended: %v", e.process.command.ProcessState)
}

func (e *engine) tooMuch() error {
	return fmt.Errorf("the script took more than %d MiB of memory", e.script.Options().MemoryLimit>>20)
}
