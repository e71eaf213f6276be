package l4sticky

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// What when_full may be.
const (
	fullMove  = "move"
	fullWait  = "wait"
	fullClose = "close"
)

const (
	defaultWaitTimeout = 10 * time.Second
	defaultMaxWaiting  = 1000
)

// readWhenFull reads the option when_full from a Caddyfile, where the word wait may be followed by the wait_timeout.
func (h *Handler) readWhenFull(d *caddyfile.Dispenser) error {
	args := d.RemainingArgs()
	if len(args) == 0 || len(args) > 2 || len(args) == 2 && args[0] != fullWait {
		return d.Errf("sticky_proxy: option 'when_full' takes move, wait with a duration, or close, got '%s'", strings.Join(args, " "))
	}
	h.WhenFull = args[0]
	if len(args) == 2 {
		timeout, err := caddy.ParseDuration(args[1])
		if err != nil || timeout <= 0 {
			return d.Errf("sticky_proxy: when_full wait: '%s' is not a duration above zero, such as 30s", args[1])
		}
		h.WaitTimeout = caddy.Duration(timeout)
	}
	return nil
}

// A turn is what a connection waits for while its targets are full. Its time counts from the beginning of its first wait.
type turn struct {
	ticket  *target.Ticket // nil while it does not wait
	any     bool           // it waits for any target
	began   time.Duration
	timer   *time.Timer
	expired atomic.Bool
}

// stays reports whether the connection stays with the client's own target, which is full, and what it does then.
func (p *picker) stays(w search.Waker) (step search.Step, stays bool) {
	if p.WhenFull == fullMove || len(p.tried) > 0 {
		return 0, false
	}
	own, _ := p.dialer.sessions.Look(p.session)
	m := p.dialer.targets.Member(own)
	if m == nil || !m.Active() || !m.Full() {
		return 0, false
	}
	if p.WhenFull == fullClose {
		p.limit = "when_full"
		return search.NoTarget, true
	}
	return p.queue([]*target.Member{m}, p.dialer.mayStay, w), true
}

// waits reports whether the connection waits for any target, of which all that are active are full, and what it does then.
func (p *picker) waits(w search.Waker) (step search.Step, waits bool) {
	if p.WhenFull != fullWait {
		return 0, false
	}
	var full []*target.Member
	for _, m := range p.dialer.targets.Members() {
		if p.dialer.mayCome(m) && m.Full() && !slices.ContainsFunc(p.tried, m.Is) {
			full = append(full, m)
		}
	}
	if len(full) == 0 {
		return 0, false
	}
	step = p.queue(full, p.dialer.mayCome, w)
	if step == search.AwaitWake {
		p.turn.any = true
	}
	return step, true
}

// mayStay reports whether a connection may go to its client's target when there is room.
func (c *poolConfig) mayStay(m *target.Member) bool {
	return m.Active() && c.targets.Member(m.Target) != nil
}

// mayCome reports whether a new client may go to a target when there is room.
func (c *poolConfig) mayCome(m *target.Member) bool { return c.mayStay(m) && !m.Drains() }

// queue has the connection wait for its turn at one of the targets that fit, unless too many wait, or its time is over.
func (p *picker) queue(members []*target.Member, fits func(*target.Member) bool, w search.Waker) search.Step {
	if p.turn != nil && p.turn.expired.Load() {
		p.limit = "wait_timeout"
		return search.NoTarget
	}
	if waiting := p.dialer.waiting.Add(1); p.turn == nil && waiting > int64(p.MaxWaiting) {
		p.dialer.waiting.Add(-1)
		p.limit = "max_waiting"
		return search.NoTarget
	}
	if p.turn == nil {
		t := &turn{began: monotonic()}
		t.timer = time.AfterFunc(time.Duration(p.WaitTimeout), safely.Func("wait for a full upstream", func() {
			t.expired.Store(true)
			w.Wake()
		}))
		p.turn = t
	}
	p.turn.any = false
	p.turn.ticket = target.Queue(members, p.turn.began, fits, w)
	if p.dialer.successor() != nil { // which has woken those that wait, perhaps before this one did
		w.Wake()
	}
	return search.AwaitWake
}

// waiting reports whether the connection is in a queue.
func (p *picker) waiting() bool { return p.turn != nil && p.turn.ticket != nil }

// judgeTurn looks at what has become of the wait. It returns false if the search goes on without.
func (p *picker) judgeTurn(now time.Duration) (d search.Dial, step search.Step, decided bool) {
	m := p.turn.ticket.Granted()
	renewed := p.renew()
	switch {
	case m == nil && p.turn.expired.Load():
		p.limit = "wait_timeout"
		p.leaveQueue()
		return d, search.NoTarget, true
	case m == nil && !renewed && p.turn.ticket.Fits() && !p.hasRoomElsewhere():
		return d, search.AwaitWake, true
	}
	p.leaveQueue()
	switch {
	case m == nil:
		return d, 0, false
	case renewed || !m.Active():
		m.Release()
		return d, 0, false
	}
	p.wants(m.Target)
	p.tried = append(p.tried, m)
	p.adopt(m)
	p.access.dialled()
	return search.Dial{Target: m, Began: now}, search.DialTarget, true
}

// hasRoomElsewhere reports whether the connection waits for any target, and one that was not among those that are full takes it now.
func (p *picker) hasRoomElsewhere() bool {
	return p.turn.any && slices.ContainsFunc(p.dialer.targets.Members(), func(m *target.Member) bool { return p.dialer.mayCome(m) && p.usable(m) })
}

// errAllFull is why a connection is closed that finds no target with room.
var errAllFull = errors.New("all upstreams are full")

// leaveQueue ends the wait.
func (p *picker) leaveQueue() {
	p.turn.ticket.Leave()
	p.turn.ticket = nil
	p.dialer.waiting.Add(-1)
}

// endTurn ends the wait, if the connection does, and forgets its time.
func (p *picker) endTurn() {
	p.turn.timer.Stop()
	if p.waiting() {
		p.leaveQueue()
	}
	p.turn = nil
}

// refuseFull tells that a connection is closed because of targets that are full.
func (p *picker) refuseFull() {
	switch p.limit {
	case "when_full":
		p.refuse(p.remote, p.access, p.limit, p.WhenFull)
	case "wait_timeout":
		p.refuse(p.remote, p.access, p.limit, time.Duration(p.WaitTimeout))
	case "max_waiting":
		p.refuse(p.remote, p.access, p.limit, p.MaxWaiting)
	default:
		p.dialer.allFull(p.remote)
		p.access.turnedAway("limit", errAllFull)
	}
}
