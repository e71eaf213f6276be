package integration

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

type rebalanceView struct {
	Running             bool
	Moved, Closed, Left int
}

// After a target was added, a rebalance brings sessions there: those without connections at once, the others when they come back or
// are closed, which the API tells.
func TestRebalance(t *testing.T) {
	t.Parallel()
	for _, closes := range []bool{false, true} {
		t.Run(fmt.Sprint("close ", closes), func(t *testing.T) {
			t.Parallel()
			listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(60)
			p := startCaddy(t, balance(listen, "session_expiry 1h", targets[0]))
			whoEach(t, ips, listen)
			p.reload(t, balance(listen, "session_expiry 1h", targets...))
			var belong []string // to the target that was added
			for _, ip := range ips {
				var e struct{ Placement string }
				if p.mustAsk(t, "GET", "pools/default/explain?client="+ip, "", &e); e.Placement == targets[1].addr {
					belong = append(belong, ip)
				}
			}
			if len(belong) < 10 || len(homedAt(whoEach(t, ips, listen), targets[1].name)) > 0 {
				t.Fatalf("%d clients belong to the target that was added", len(belong))
			}
			open, _ := hold(t, belong[0], listen)
			kept, _ := hold(t, ips[slices.IndexFunc(ips, func(ip string) bool { return !slices.Contains(belong, ip) })], listen)
			await(t, "the others are idle", func() bool { return p.pool(t).Sessions.Idle == len(ips)-2 })

			var view rebalanceView
			p.mustAsk(t, "POST", "pools/default/rebalance", map[bool]string{false: "", true: `{"close": true, "rate": 100}`}[closes], &view)
			await(t, "the idle sessions have moved", func() bool {
				p.mustAsk(t, "GET", "pools/default/rebalance", "", &view)
				return view.Moved == len(belong)-1
			})
			if got := p.upstream(t, targets[1]).Sessions; got.Idle != len(belong)-1 || got.Live != 0 {
				t.Errorf("%+v sessions are at the target that was added, want %d", got, len(belong)-1)
			}
			if !closes {
				if response, _ := p.ask(t, "POST", "pools/default/rebalance", ""); response.StatusCode != http.StatusConflict {
					t.Errorf("a second one is answered by %s", response.Status)
				}
				if got := who(t, belong[0], listen); got != targets[0].name {
					t.Error("a client with a connection has moved")
				}
				open.Close()
			} else {
				mustBeReset(t, open)
			}
			await(t, "the client is where it belongs", func() bool { return who(t, belong[0], listen) == targets[1].name })
			await(t, "the rebalance is done", func() bool {
				p.mustAsk(t, "GET", "pools/default/rebalance", "", &view)
				return !view.Running
			})
			if view.Left != 0 || (view.Closed > 0) != closes {
				t.Errorf("in the end it was %+v", view)
			}
			if !strings.Contains(p.Log(), "the pool is rebalanced") {
				t.Error("the log does not tell that it is done")
			}
			_ = kept.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
			if _, err := kept.Read(make([]byte, 1)); !isTimeout(err) {
				t.Errorf("a client that belongs where it is was closed: %v", err)
			}
			if at := homedAt(whoEach(t, ips, listen), targets[1].name); len(at) != len(belong) {
				t.Errorf("%d clients are at the target that was added, want %d", len(at), len(belong))
			}
			if response, _ := p.ask(t, "DELETE", "pools/default/rebalance", ""); response.StatusCode != http.StatusConflict {
				t.Errorf("to stop it when it is done is answered by %s", response.Status)
			}
		})
	}
}

// A rebalance that is stopped moves nobody any more.
func TestRebalanceStops(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 2), clientIPs(30)
	p := startCaddy(t, balance(listen, "session_expiry 1h", targets[0]))
	for _, ip := range ips {
		hold(t, ip, listen)
	}
	p.reload(t, balance(listen, "session_expiry 1h", targets...))
	var view rebalanceView
	p.mustAsk(t, "POST", "pools/default/rebalance", `{"close": true, "deadline": "1h"}`, &view)
	await(t, "it has looked at all", func() bool {
		p.mustAsk(t, "GET", "pools/default/rebalance", "", &view)
		return view.Left > 0
	})
	if p.mustAsk(t, "DELETE", "pools/default/rebalance", "", &view); view.Running {
		t.Error("it goes on")
	}
	if n := p.upstream(t, targets[0]).Connections; n != len(ips) {
		t.Errorf("%d connections are left of %d", n, len(ips))
	}
}
