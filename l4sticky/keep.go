package l4sticky

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/persist"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/session"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

const (
	// keptWait is how long a config that is loaded waits for the sessions that were kept. They are restored all the same if they come
	// later, where a client has no session by then.
	keptWait = 5 * time.Second
	// keptTimeout is how long a storage may take to read or to write.
	keptTimeout = 30 * time.Second
	// lastKeptWait is how long Caddy waits, when it exits, until sessions are written.
	lastKeptWait = 5 * time.Second
	// restoredAtOnce is how many sessions are decoded before they go into the table.
	restoredAtOnce = 1 << 16
)

// A keeper keeps the sessions of a pool in Caddy's storage, over a stop of Caddy.
type keeper struct {
	storing sync.Mutex // held while the storage is read or written
	lines   loglimit.Limiter

	// What follows is guarded by the pool's lock.

	timer     *time.Timer // of the next write, nil before the first
	applied   *keptConfig // how sessions are kept, nil if they are not
	fresh     bool        // no config has asked for the sessions that were kept
	ran       bool        // a config that keeps sessions has come to run
	finishing bool        // they are being written for the last time
}

// A keptConfig is how a config has sessions kept. It never changes.
type keptConfig struct {
	*poolConfig
	storage  certmagic.Storage
	interval time.Duration
	expiry   time.Duration
}

// persist has the sessions of the pool kept, if the config wants that, and restores those that were kept if the pool is new. It is
// called when the addresses of the targets are known.
func (c *poolConfig) persist(ctx caddy.Context) {
	if c.settings.options.Persist {
		c.keepIn(ctx.Storage())
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keeper.fresh = false
}

// keepIn is persist for a config that wants it.
func (c *poolConfig) keepIn(storage certmagic.Storage) {
	k := &keptConfig{c, storage, time.Duration(c.settings.options.PersistInterval), time.Duration(c.settings.options.SessionExpiry)}
	c.mu.Lock()
	c.kept = k
	if c.applied.Load() == c {
		c.pool.unsyncedKeep(c)
	}
	fresh := c.keeper.fresh
	c.keeper.fresh = false
	c.mu.Unlock()
	if fresh {
		k.awaitRestored()
	}
}

// unsyncedKeep has sessions kept as a config wants it, from now on. The pool's lock must be held.
func (p *pool) unsyncedKeep(c *poolConfig) {
	k := &p.keeper
	if k.timer != nil {
		k.timer.Stop()
	}
	k.applied = c.kept
	if k.applied == nil {
		return
	}
	if k.timer == nil {
		k.lines = loglimit.Limiter{Lines: 1, Window: time.Minute, LeftOut: func(lines int) {
			caddy.Log().Named("layer4.sticky").Warn("keeping sessions failed again and again", zap.String("pool", p.name), zap.Int("left_out", lines))
		}}
		k.timer = time.AfterFunc(k.applied.interval, safely.Func("persist", p.keepDue))
		return
	}
	k.timer.Reset(k.applied.interval)
}

// keepDue is called by the timer: it writes the sessions, and sets the timer again even after a panic.
func (p *pool) keepDue() {
	defer p.scheduleKeep()
	safely.Reach("persist")
	p.keeper.storing.Lock()
	defer p.keeper.storing.Unlock()
	if k := p.running(); k != nil { // else the last write has been, or the table is empty by now
		k.unsyncedWrite(k.interval)
	}
}

// running returns how sessions are kept, or nil if they are not, or if the config is still being loaded.
func (p *pool) running() *keptConfig {
	p.mu.Lock()
	defer p.mu.Unlock()
	k := p.keeper.applied
	if k == nil || p.applied.Load() != nil && !isRunning(k.run.ctx) {
		return nil
	}
	p.keeper.ran = true
	return k
}

func (p *pool) scheduleKeep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := p.keeper.applied; k != nil {
		p.keeper.timer.Reset(k.interval)
	}
}

// unsyncedStopKeeping returns how sessions were kept, if they were and a config with that has run, and ends it. The pool's lock must be held.
func (p *pool) unsyncedStopKeeping() *keptConfig {
	k := p.keeper.applied
	if k == nil {
		return nil
	}
	p.keeper.timer.Stop()
	p.keeper.applied = nil
	if !p.keeper.ran {
		return nil
	}
	return k
}

// finish writes the sessions of a pool that has ended, in the background, and forgets them then. It may be called again.
func (p *pool) finish() {
	p.mu.Lock()
	k, finishing, told := p.unsyncedStopKeeping(), p.keeper.finishing, p.told
	p.keeper.finishing = finishing || k != nil
	p.mu.Unlock()
	switch {
	case k != nil:
		written := lastWrites.begin(p.name)
		go safely.Do("persist", func() {
			defer written()
			defer p.finished()
			if told != nil {
				defer func() { <-told }()
			}
			k.write()
		})
	case finishing:
	case told != nil:
		go safely.Do("session store", func() {
			<-told // what the sessions are
			p.sessions.Clear()
		})
	default:
		p.sessions.Clear()
	}
}

func (p *pool) finished() {
	p.sessions.Clear()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keeper.finishing = false
}

// write is unsyncedWrite for sessions whose connections are over.
func (k *keptConfig) write() {
	k.keeper.storing.Lock()
	defer k.keeper.storing.Unlock()
	k.unsyncedWrite(0)
}

// unsyncedWrite writes the sessions. Those that have connections are taken to have them for so long. The storage must be locked.
func (k *keptConfig) unsyncedWrite(longest time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), keptTimeout)
	defer cancel()
	if err := k.storage.Store(ctx, storageKey(k.name), k.encode(time.Now(), longest)); err != nil {
		k.warn("keeping the sessions failed", zap.Error(err))
	}
}

// warn logs a warning at a bounded rate.
func (k *keptConfig) warn(line string, fields ...zap.Field) {
	if k.keeper.lines.Admit() {
		k.log().Warn(line, fields...)
	}
}

func (k *keptConfig) log() *zap.Logger {
	logger := k.logger
	if k.applied.Load() == nil { // no config has the pool any more
		logger = caddy.Log().Named("layer4.sticky")
	}
	return logger.With(zap.String("pool", k.name))
}

// encode returns the sessions as they are at a time.
func (k *keptConfig) encode(now time.Time, longest time.Duration) []byte {
	w := persist.NewWriter(k.sessions.Len())
	addresses := make(map[*target.Target]string)
	at := monotonic()
	k.sessions.Walk(func(i session.Info[*target.Target]) {
		address, known := addresses[i.Target]
		if !known {
			address = k.addressOf(i.Target)
			addresses[i.Target] = address
		}
		expiresIn := k.expiry
		if i.Live() {
			expiresIn += longest
		} else {
			expiresIn -= at - i.IdleSince
		}
		w.Add(persist.Session{Client: i.Client, Target: address, Expires: now.Add(expiresIn), Since: now.Add(i.Since - at), Moved: i.Moved})
	})
	return w.Bytes(k.name, now)
}

// awaitRestored begins to restore the sessions that were kept, and waits for that no longer than keptWait.
func (k *keptConfig) awaitRestored() {
	done := make(chan struct{})
	go safely.Do("persist", func() {
		defer close(done)
		k.restore()
	})
	select {
	case <-done:
	case <-time.After(keptWait):
		k.log().Warn("the sessions that were kept are not there yet", zap.Duration("duration", keptWait))
	}
}

// restore restores the sessions that were kept. What goes wrong is logged, and then there are fewer of them.
func (k *keptConfig) restore() {
	k.keeper.storing.Lock()
	defer k.keeper.storing.Unlock()
	safely.Reach("persist")
	ctx, cancel := context.WithTimeout(context.Background(), keptTimeout)
	defer cancel()
	lastWrites.await(ctx, k.name)
	key := storageKey(k.name)
	data, err := k.storage.Load(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		k.log().Warn("reading the sessions that were kept failed", zap.Error(err))
		return
	}
	n, err := k.decode(data, time.Now())
	if err != nil {
		k.setAside(ctx, key, data, err)
	}
	k.log().Info("sessions restored", zap.Int("sessions", n.restored), zap.Int("sessions_expired", n.expired),
		zap.Int("sessions_unknown", n.unknown), zap.Int("sessions_left_out", n.present+n.full))
}

// decode puts sessions into the table that were written by encode.
func (k *keptConfig) decode(data []byte, now time.Time) (n restoreCounts, err error) {
	file, err := persist.Open(k.name, data)
	if err != nil {
		return n, err
	}
	some := make([]keptSession, 0, min(file.Len(), restoredAtOnce))
	for s, wrong := range file.Sessions() {
		if err = wrong; err != nil {
			break
		}
		some = append(some, keptSession{client: s.Client, target: s.Target, expiresIn: s.Expires.Sub(now), since: s.Since, moved: s.Moved})
		if len(some) == restoredAtOnce {
			n.add(k.restoreSessions(some))
			some = some[:0]
		}
	}
	n.add(k.restoreSessions(some))
	return n, err
}
