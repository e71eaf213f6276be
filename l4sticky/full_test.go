package l4sticky

import (
	"net"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A quietWaker does nothing: the tests ask again by themselves.
type quietWaker struct{}

func (quietWaker) Wake() {}

// newFullBalancer returns a handler with two targets that may have one connection each, and the one where the visitor is at home
// before the other.
func newFullBalancer(t *testing.T, whenFull string, options Options) (h *Handler, home, other *target.Member) {
	var upstreams []target.Config
	for _, at := range []string{"127.0.0.1:1", "127.0.0.1:2"} {
		upstreams = append(upstreams, target.Config{Address: target.Address{Network: "tcp", Dial: at}, Weight: 1, MaxConnections: 1})
	}
	options.Pool = t.Name()
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	v, err := join(newConfig(t), options, upstreams, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.quit)
	h = &Handler{WhenFull: whenFull}
	if whenFull == fullWait {
		h.WaitTimeout = caddy.Duration(time.Hour)
	}
	if err := h.setDefaults(); err != nil {
		t.Fatal(err)
	}
	h.dialer = newDialer(v, time.Second, h.times.KeepAlive, v.logger)
	home = v.targets.Place(visitor, all)
	return h, home, v.targets.Place(visitor, func(m *target.Member) bool { return m != home })
}

// newVisit returns the picker of one more connection of the visitor.
func newVisit(t *testing.T, h *Handler) *picker {
	p := h.newPicker(&net.TCPAddr{IP: visitor.AsSlice(), Port: 1}, nil)
	t.Cleanup(func() { p.Lost(search.ErrClientLeft) })
	return p
}

// mustWait asks a picker, which is to wait.
func mustWait(t *testing.T, p *picker) {
	t.Helper()
	if d, step := p.Next(quietWaker{}); step != search.AwaitWake {
		t.Fatalf("the connection does not wait, but dials %v", d.Target)
	}
}

// TestTimeOfWaitCountsOnce has a connection wait for one target, and then for another one.
func TestTimeOfWaitCountsOnce(t *testing.T) {
	h, home, other := newFullBalancer(t, fullWait, Options{})
	home.Claim(1)
	other.Claim(1)
	moveTo(h.dialer.poolConfig, newVisit(t, h).session, home)
	p := newVisit(t, h)
	mustWait(t, p)
	began := p.turn
	home.Deactivate(time.Hour)
	mustWait(t, p)
	if p.turn != began {
		t.Error("its time begins anew")
	}
	began.expired.Store(true)
	home.Checked(true, monotonic(), target.Rules{Rise: 1, Fall: 1})
	if _, step := p.Next(quietWaker{}); step != search.NoTarget || p.limit != "wait_timeout" {
		t.Errorf("it ends by %v, %q", step, p.limit)
	}
}

// TestNoTurnAtTargetThatDrains has a new client wait for targets of which one drains meanwhile, or is not there any more.
func TestNoTurnAtTargetThatDrains(t *testing.T) {
	for name, goes := range map[string]func(c *poolConfig, home, other *target.Member){
		"drain": func(c *poolConfig, home, _ *target.Member) {
			c.registry.Control(home.Target, target.Operator, target.Control{Mode: target.Drain})
		},
		"removed": func(c *poolConfig, _, other *target.Member) { c.targets.Update([]target.Config{other.Config}) },
	} {
		t.Run(name, func(t *testing.T) {
			h, home, other := newFullBalancer(t, fullWait, Options{})
			home.Claim(1)
			other.Claim(1)
			p := newVisit(t, h)
			mustWait(t, p)
			goes(h.dialer.poolConfig, home, other)
			home.Release()
			mustWait(t, p)
			other.Release()
			d, step := p.Next(quietWaker{})
			if step != search.DialTarget || d.Target != other {
				t.Fatalf("the client goes to %v, by %v", d.Target, step)
			}
			p.Dropped(d)
		})
	}
}

// TestReturnsHomeFromFullTarget has a client come back whose target is full, and which belongs elsewhere.
func TestReturnsHomeFromFullTarget(t *testing.T) {
	for _, whenFull := range []string{fullMove, fullWait, fullClose} {
		t.Run(whenFull, func(t *testing.T) {
			h, home, other := newFullBalancer(t, whenFull, Options{ReturnHome: returnWhenIdle})
			s, _ := h.dialer.acquire(visitor, 0)
			moveTo(h.dialer.poolConfig, s, home)
			moveTo(h.dialer.poolConfig, s, other)
			h.dialer.sessions.Release(s)
			other.Claim(1)
			p := newVisit(t, h)
			d, step := p.Next(quietWaker{})
			if step != search.DialTarget || d.Target != home {
				t.Fatalf("the client goes to %v, by %v", d.Target, step)
			}
			p.Dropped(d)
		})
	}
}

// TestLastRoom has two connections of a client come at the same moment to a target that has room for one. The other one waits.
func TestLastRoom(t *testing.T) {
	h, home, _ := newFullBalancer(t, fullWait, Options{})
	moveTo(h.dialer.poolConfig, newVisit(t, h).session, home)
	for range 20_000 {
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				p := h.newPicker(&net.TCPAddr{IP: visitor.AsSlice(), Port: 1}, nil)
				defer p.Lost(search.ErrClientLeft)
				d, step := p.Next(quietWaker{})
				if step != search.DialTarget {
					return
				}
				if d.Target != home {
					t.Error("the connection goes to another target than those of its client")
				}
				p.Dropped(d)
			})
		}
		if both.Wait(); t.Failed() {
			return
		}
	}
}
