//go:build unix

package node

import (
	"fmt"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// end waits for the end of the process, and settles the decisions of the clients whose fault it was.
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
	e.settleGuilty(uint32(e.process.mark.read()))
	e.forgetGuests()
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

// settleGuilty keeps out the client for whom the script was at work when its process ended, or else the clients that
// were in a process that ended before.
func (e *engine) settleGuilty(marked uint32) {
	e.mu.Lock()
	asked := e.asked
	e.asked = nil
	e.mu.Unlock()
	if d := asked[marked]; d != nil && e.script.Settle(d, e.err) {
		return
	}
	for _, d := range asked {
		if d.Asked.Load() > 1 {
			e.script.Settle(d, e.err)
		}
	}
}

// forgetGuests lets go of all clients.
func (e *engine) forgetGuests() {
	e.mu.Lock()
	guests := e.guests
	e.guests = nil
	e.mu.Unlock()
	for _, g := range guests {
		if g.stop != nil {
			g.stop()
		}
	}
}
