package integration

import (
	"strings"
	"testing"
)

// The deadline of a drain holds when a reload takes the upstream out of the config, and when another one brings it back; so does all else that an operator has set.
func TestDrainOverRemoval(t *testing.T) {
	t.Parallel()
	for _, returns := range []bool{false, true} {
		name := "removed"
		if returns {
			name = "removed and back"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			listen, targets, ip := freeAddr(t), greeters(t, 2), clientIPs(1)[0]
			p := startCaddy(t, balance(listen, "", targets...))
			conn, home := hold(t, ip, listen)
			drained, other := named(t, targets, home), targets[0]
			if other == drained {
				other = targets[1]
			}
			p.patch(t, drained, `{"state": "drain", "deadline": "3s", "rate": 100, "weight": 7, "max_connections": 9}`)
			p.reload(t, balance(listen, "", other))
			if returns {
				p.reload(t, balance(listen, "", targets...))
				if is := p.upstream(t, drained); is.State != "draining" || is.Weight != 7 || is.MaxConnections != 9 {
					t.Errorf("when it is back, it is %+v", is)
				}
			}
			mustClose(t, conn)
			await(t, "the log tells that it is drained", func() bool { return strings.Count(p.Log(), "upstream drained") == 1 })
			if got := who(t, ip, listen); got != other.name {
				t.Errorf("the client is at %s, which drains", got)
			}
		})
	}
}
