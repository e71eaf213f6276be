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
}

// watch kills the process when the script does not come back.
func (e *engine) watch() {
	w := watchdog{since: time.Now()}
	timer := time.NewTimer(watchEvery)
	defer timer.Stop()
	for quiet := 0; ; quiet++ {
		wakeWatchdog := e.wakeWatchdog
		switch {
		case w.grown > e.script.Options().MemoryLimit/2:
			timer.Reset(closeEvery)
		case quiet < calm:
			timer.Reset(watchEvery)
			wakeWatchdog = nil
		default:
			timer.Reset(idleEvery)
		}
		select {
		case now := <-timer.C:
			if cause := e.inspect(&w, now); cause != nil {
				e.abort(cause)
				return
			}
		case <-wakeWatchdog:
			quiet = 0
		case <-e.process.exited:
			return
		}
		if e.active.Swap(false) || e.pings.Load() != e.pongs.Load() {
			quiet = 0
		}
	}
}

// inspect asks the host for a sign of life, or returns why the process is to be killed.
func (e *engine) inspect(w *watchdog, now time.Time) error {
	safely.Reach("script watchdog")
	if base := e.base.Load(); base > 0 {
		w.grown = usedMemory(e.process.command.Process.Pid) - base
		if most := e.script.Options().MemoryLimit; w.grown > most+most/4 {
			return e.tooMuch()
		}
	}
	mark, pings := e.process.mark.read(), e.pings.Load()
	if pings == e.pongs.Load() {
		w.since = now
		e.pings.Store(pings + 1)
		e.sendPlain(ping, pings+1)
	}
	if mark != w.mark {
		w.mark, w.since = mark, now
	}
	if limit := e.script.Limit(e.ready.Load(), uint32(mark) != 0); now.Sub(w.since) >= limit {
		return decide.TookLong(limit)
	}
	return nil
}
