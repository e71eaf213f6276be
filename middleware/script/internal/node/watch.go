//go:build unix

package node

import (
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

const (
	// watchEvery is how often the watchdog looks while the script is asked about clients, and idleEvery while it is not. A
	// process that has half of its memory is looked at each closeEvery.
	watchEvery, idleEvery, closeEvery = 25 * time.Millisecond, 500 * time.Millisecond, 5 * time.Millisecond
	// calm is after how many looks without a new client the script is idle.
	calm = 40
)

// watchdog is what is remembered of the process between two looks.
type watchdog struct {
	mark  uint64
	since time.Time // it has been like that, without an answer
	grown int64     // by how many bytes of memory, since before the script was loaded
	pings uint32    // how many were sent
}

// watch kills the process when the script does not come back.
func (e *engine) watch() {
	w := watchdog{since: time.Now()}
	for quiet := 0; ; quiet++ {
		pause, asked := watchEvery, (chan struct{})(nil)
		if w.grown > e.script.Options().MemoryLimit/2 {
			pause = closeEvery
		} else if quiet >= calm {
			pause, asked = idleEvery, e.asked
		}
		select {
		case <-asked:
			quiet = 0
		case now := <-time.After(pause):
			if cause := e.inspect(&w, now); cause != nil {
				e.abort(cause)
				return
			}
		case <-e.process.exited:
			return
		}
		select {
		case <-e.asked:
			quiet = 0
		default:
		}
		if w.pings != e.pongs.Load() {
			quiet = 0
		}
	}
}

// inspect asks the host for a sign of life, or returns why the process is to be killed.
func (e *engine) inspect(w *watchdog, now time.Time) error {
	safely.Reach("script watchdog")
	if base := e.base.Load(); base > 0 {
		used, _, _ := memoryOf(e.process.command.Process.Pid) // nothing if it has ended
		w.grown = used - base
		if most := e.script.Options().MemoryLimit; w.grown > most+most/4 {
			return e.tooMuch()
		}
	}
	if w.pings == e.pongs.Load() {
		w.since = now
		w.pings++
		e.sendPlain(ping, w.pings)
	}
	if mark := e.process.marked(); mark != w.mark {
		w.mark, w.since = mark, now
	}
	if limit := e.script.Limit(e.ready.Load(), uint32(w.mark) != 0); now.Sub(w.since) >= limit {
		return decide.TookLong(limit)
	}
	return nil
}
