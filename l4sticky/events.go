package l4sticky

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// maxEvents is how many events may wait for the handlers of those before.
const maxEvents = 1024

// An emitter passes changes on to the handlers that a config has subscribed to them. These are called by Caddy's events app, one
// after the other, on a goroutine that runs while there are events, so that neither a connection nor an event loop waits for them.
// Events that come while too many wait are dropped. When the config has ended, so have its events.
type emitter struct {
	config *poolConfig
	app    atomic.Pointer[caddyevents.App]
	known  atomic.Bool // the config runs, and whether it has an events app is known

	lines loglimit.Limiter // of the lines about events that are dropped

	waitingMu sync.Mutex // guards what follows
	waiting   []event
	busy      bool // a goroutine passes events on
}

// An event is a change that has happened.
type event struct {
	*change
	fields []zap.Field
	log    bool // it is not in the log yet
}

func newEmitter(c *poolConfig) *emitter {
	e := &emitter{config: c}
	e.lines = loglimit.Limiter{Lines: 1, Window: time.Minute, LeftOut: func(lines int) {
		c.logger.Warn("more events were dropped", zap.String("pool", c.name), zap.Int("events", lines))
	}}
	return e
}

// wants reports whether anything would come of an event, be it in the log. As long as the config does not run that is not known.
func (e *emitter) wants(c *change) bool {
	if !e.known.Load() || e.config.logger.Core().Enabled(zapcore.DebugLevel) {
		return true
	}
	app := e.app.Load()
	return app != nil && app.ShouldEmit(c.event)
}

// emit has an event passed on for a change that is in the log. It does not block.
func (e *emitter) emit(c *change, fields []zap.Field) { e.put(event{c, fields, false}) }

// emitAndLog is emit for a change that is not in the log yet: the goroutine that passes it on writes the line.
func (e *emitter) emitAndLog(c *change, fields []zap.Field) { e.put(event{c, fields, true}) }

func (e *emitter) put(v event) {
	if e.wants(v.change) && !e.enqueue(v) && e.lines.Admit() {
		e.config.logger.Warn("an event is dropped, since the handlers of those before take their time", zap.String("pool", e.config.name), zap.String("event", v.change.event))
	}
}

// enqueue reports false if too many events wait.
func (e *emitter) enqueue(v event) bool {
	e.waitingMu.Lock()
	defer e.waitingMu.Unlock()
	if len(e.waiting) >= maxEvents {
		return false
	}
	e.waiting = append(e.waiting, v)
	if !e.busy {
		e.busy = true
		go safely.Do("events", e.passOn)
	}
	return true
}

// passOn passes on what waits. Caddy's events app may be asked only when it has started, and all others, which may have subscribed.
func (e *emitter) passOn() {
	runs := e.config.run.await()
	if runs && !e.known.Load() {
		if app, err := e.config.run.ctx.AppIfConfigured("events"); err == nil {
			e.app.Store(app.(*caddyevents.App))
		}
		e.known.Store(true)
	}
	for {
		all := e.take()
		if all == nil {
			return
		}
		for _, v := range all {
			if runs && !e.config.run.ended() {
				safely.Do("event handler", func() { e.passOnOne(v) })
			}
		}
	}
}

// take returns all that waits, or nil, after which another goroutine is started for what comes.
func (e *emitter) take() []event {
	e.waitingMu.Lock()
	defer e.waitingMu.Unlock()
	all := e.waiting
	e.waiting = nil
	e.busy = all != nil
	return all
}

func (e *emitter) passOnOne(v event) {
	if v.log {
		e.config.logger.Log(v.level, v.line, v.fields...)
	}
	app := e.app.Load()
	if app == nil || !app.ShouldEmit(v.change.event) {
		return
	}
	data := zapcore.NewMapObjectEncoder()
	for _, f := range v.fields {
		f.AddTo(data)
	}
	app.Emit(e.config.run.ctx, v.change.event, data.Fields)
}
