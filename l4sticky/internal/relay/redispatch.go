package relay

import (
	"net"
	"slices"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/connect"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// A Redispatcher is an Established whose client can be taken to another target. With Limits.Redispatch, each Established must
// be one.
type Redispatcher interface {
	flow.Established
	// Redispatch is called instead of Done when the target has ended the connection before it was used, with the two
	// addresses of the client's connection. What the Established held is the picker's from then on.
	Redispatch(local, remote net.Addr) Redispatch
}

// A Redispatch is a search for another target.
type Redispatch struct {
	Picker search.Picker
	// Owner is what Abort asks for while Run looks for the target. A loop has the picker for that.
	Owner any
	// Had is the dial of the target that has ended the connection. The picker gets it back by TakeSpare, if there is no
	// other target, or by Dropped.
	Had search.Dial
	// Header is what each target gets in front of the client's bytes.
	Header  []byte
	Options *connect.Options
	// Dial connects to a target for a connection that no loop carries.
	Dial connect.DialFunc
}

// mayBeLeft reports whether the target has failed before the client has begun, so that the client may get another one as soon
// as it is known that the target has said nothing.
func (r *relay) mayBeLeft() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flow.Discards() && r.flow.Fresh()
}

func (r *relay) seeking() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.flow.Seeking()
}

// redispatch looks for another target when both directions have come to rest, and reports whether there is one to carry on
// with, which may be the one that the client had. If the picker has ended the connection, there is no Established any more.
func (r *relay) redispatch() (found bool) {
	var to Redispatch
	bottom := connchain.Bottom(r.client)
	safely.Do("redispatch", func() {
		to = r.established.(Redispatcher).Redispatch(bottom.LocalAddr(), bottom.RemoteAddr())
	}, r.fault)
	if to.Picker == nil {
		return false
	}
	r.setOwner(to.Owner)
	conn, established := connect.Resume(to.Picker, to.Options, to.Dial, to.Had, r.target, r.over)
	if established == nil {
		_ = r.finish()
		r.adopt(r.target, nil, true, nil)
		return false
	}
	_ = r.client.SetReadDeadline(time.Time{})
	again := conn == r.target
	if !r.adopt(conn, established, again, to.Header) {
		_ = r.client.SetDeadline(past)
		return false
	}
	if again {
		r.tell(func(now time.Duration) flow.Action { return r.flow.Settle(established.Counters(), now) }, nil)
	}
	return true
}

func (r *relay) setOwner(owner any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seeker = owner
}

// adopt makes a target the connection's own, and reports false if the connection is over.
func (r *relay) adopt(conn net.Conn, established flow.Established, again bool, header []byte) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target, r.established, r.seeker = conn, established, nil
	switch {
	case r.flow.State() == flow.Over:
		return false
	case again:
		r.announced = 0 // it has got what it was to get
	default:
		r.announced = len(header)
		r.early = slices.Concat(header, r.early)
		r.result = flow.Result{}
		r.flow.Begin(established.Counters(), time.Since(began))
	}
	return true
}
