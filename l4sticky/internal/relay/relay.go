package relay

import (
	"net"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/listen"
)

// stallCheck is how often a direction that waits for the target to read looks whether the client is
// still there.
const stallCheck = time.Second

// shutTimeout is how long it may take to tell a client the end of its target's stream.
const shutTimeout = 5 * time.Second

// past is a deadline that interrupts whatever waits.
var past = time.Unix(1, 0)

// began is when the clock of the relays began.
var began = time.Now()

// closeWriter is a connection that can end one direction.
type closeWriter interface{ CloseWrite() error }

// Run carries bytes between client and target, both ways, until the connection is over: first the early bytes, which were
// read from the client before, then all that comes. Of these the first ones may be another's than the client's: so many as
// announced says. It closes the target's connection, and returns when nothing uses the client's any more, which is the
// caller's to close.
//
// To a connection that has no CloseWrite, the end of one direction is the end of both. Nothing is read that was not
// written yet (back-pressure).
func Run(client, target net.Conn, early []byte, announced int, established flow.Established, options *Options) {
	r := &relay{client: client, target: target, early: early, announced: announced, established: established, over: make(chan struct{})}
	r.flow = flow.New(&options.Limits)
	if len(early) > announced {
		r.flow.Bind()
	}
	r.flow.Begin(established.Counters(), time.Since(began))
	listen.HasTarget(client)
	running.Store(r, nil)
	defer running.Delete(r)
	for r.carry() && r.redispatch() {
	}
	if r.established != nil {
		result := r.finish()
		_ = r.target.Close()
		r.established.Done(result)
	}
}

// A relay carries one connection by two goroutines, one for each direction. Only between two targets, when they are not at
// work, the goroutine of Run changes the target and its Established.
type relay struct {
	client      net.Conn
	over        chan struct{} // is closed when the flow is over
	announced   int           // bytes that the target gets in front of the client's
	target      net.Conn
	established flow.Established // or nil if the picker has ended the connection

	mu     sync.Mutex // guards what follows, and for other goroutines the target and its Established
	seeker any        // what stands for the Established while another target is looked for
	early  []byte     // what the target is to get first, the header included
	flow   flow.Flow
	result flow.Result // but for the bytes
	timer  *time.Timer // for what the flow waits for, if there is anything
}

// carry carries bytes between the client and one target, and reports whether another target is to be looked for then.
func (r *relay) carry() (seeking bool) {
	_ = r.target.SetWriteDeadline(time.Now().Add(stallCheck))
	r.tell(func(time.Duration) flow.Action { return 0 }, nil) // sets the timer
	if r.announced > 0 {
		safely.Do("relay to the target", func() { _, _ = r.toTarget(r.takeHeader()) }, r.fault)
	}
	downDone := make(chan struct{})
	go safely.Do("relay to the client", func() { r.down(downDone) })
	safely.Do("relay to the target", func() { r.up(downDone) }, r.fault)
	<-downDone
	r.awaitSevered()
	return r.seeking()
}

func (r *relay) ended(from flow.Side) {
	r.tell(func(now time.Duration) flow.Action { return r.flow.Ended(from, now) }, nil)
}

func (r *relay) failed(side flow.Side, err error) {
	r.tell(func(now time.Duration) flow.Action { return r.flow.Failed(side, now) }, err)
}

func (r *relay) targetCut(err error) { r.tell(r.flow.TargetCut, err) }

func (r *relay) cut() {
	r.tell(func(time.Duration) flow.Action { return r.flow.Cut() }, nil)
}

// tick looks at the time.
func (r *relay) tick() {
	r.tell(func(now time.Duration) flow.Action {
		safely.Reach("idle timeout")
		return r.flow.Tick(now, r)
	}, nil)
}

// fault ends a relay after a panic.
func (r *relay) fault() {
	r.tell(func(time.Duration) flow.Action {
		a := r.flow.Cut()
		if a != 0 && r.result == (flow.Result{}) {
			r.result.ClientErr = safely.ErrPanic
		}
		return a
	}, nil)
}

// tell tells the flow of an event, which has come with an error if something has failed, and carries out what it says.
func (r *relay) tell(event func(now time.Duration) flow.Action, err error) {
	a, target := r.decide(event, err)
	if a&flow.BlameTarget != 0 {
		r.established.TargetFailed()
	}
	if a&flow.ShutTarget != 0 && !closeWrite(target) || a&flow.ShutClient != 0 && !r.shutClient() {
		stop, _ := r.decide(func(time.Duration) flow.Action { return r.flow.Stop() }, nil)
		a |= stop
	}
	if a&flow.Redispatch != 0 {
		_ = r.client.SetReadDeadline(past) // the other direction is interrupted
	}
	if a&flow.ResetTarget != 0 {
		connchain.ResetOnClose(target)
	}
	if a&flow.ResetClient != 0 {
		connchain.ResetOnClose(r.client)
	}
	if a&flow.Close != 0 {
		_ = r.client.SetDeadline(past) // both directions are interrupted
		_ = target.SetDeadline(past)
		close(r.over)
	}
}

// decide asks the flow what to do about an event, and returns with which target. The lock is not held while that is done: it
// may take its time, and must not keep others from ending the connection.
func (r *relay) decide(event func(now time.Duration) flow.Action, err error) (a flow.Action, target net.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a = event(time.Since(began))
	switch {
	case a&flow.BlameClient != 0:
		r.result.ClientErr = err
	case a&flow.BlameTarget != 0:
		r.result.TargetErr = err
	}
	r.unsyncedSetTimer()
	return a, r.target
}

// shutClient passes the end of the target's stream on. TLS writes an end of its own for that, behind what it may still be
// writing, so it gets a limit of time.
func (r *relay) shutClient() bool {
	_ = r.client.SetWriteDeadline(time.Now().Add(shutTimeout))
	return closeWrite(r.client)
}

// awaitSevered waits until a severed client is reset, though both directions have ended.
func (r *relay) awaitSevered() {
	r.mu.Lock()
	severed := r.flow.State() == flow.Severed
	r.mu.Unlock()
	if severed {
		<-r.over
	}
}

// unsyncedSetTimer sets the timer for what the flow waits for. The lock must be held.
func (r *relay) unsyncedSetTimer() {
	due := r.flow.Due()
	switch {
	case due != flow.Never && r.timer == nil:
		r.timer = time.AfterFunc(due-time.Since(began), safely.Func("idle timeout", r.tick, r.fault))
	case due != flow.Never:
		r.timer.Reset(due - time.Since(began))
	case r.timer != nil:
		r.timer.Stop()
	}
}

// Unacknowledged returns how many bytes are on their way to a side.
func (r *relay) Unacknowledged(to flow.Side) int {
	if to == flow.Client {
		return unacknowledged(r.client)
	}
	return unacknowledged(r.target)
}

// finish returns the result, after both directions have ended.
func (r *relay) finish() flow.Result {
	r.tell(func(time.Duration) flow.Action { return r.flow.Stop() }, nil)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.result.ToTarget, r.result.ToClient = r.flow.Bytes(flow.Client), r.flow.Bytes(flow.Target)
	r.result.Unserved, r.result.End = r.flow.Unserved(), r.flow.End()
	return r.result
}

// closeWrite passes an end of stream on, and reports false if the connection can't.
func closeWrite(conn net.Conn) bool {
	c, ok := conn.(closeWriter)
	if ok {
		_ = c.CloseWrite()
	}
	return ok
}
