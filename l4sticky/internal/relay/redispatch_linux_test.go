package relay

import (
	"net"
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
)

// TestRedispatchLeavesEarlyBytes has a target that has closed by the time that the loop hears of its having accepted. What the
// client has sent by then is left to the next one.
func TestRedispatchLeavesEarlyBytes(t *testing.T) {
	for _, header := range []string{"", "PROXY "} {
		closed := make(chan struct{}, 1)
		quitter := server(t, func(conn *net.TCPConn) {
			_ = conn.Close()
			closed <- struct{}{}
		})
		useCalls(t, func(c *eventloop.Calls) {
			c.Connect = func(fd int32, to netip.AddrPort) unix.Errno {
				errno := eventloop.System.Connect(fd, to)
				if to == quitter.Addrs()[0] {
					<-closed
				}
				return errno
			}
			c.Send = func(fd int32, bytes []byte) (int, unix.Errno) {
				if len(bytes) == 0 {
					return 0, unix.EAGAIN // it has not accepted yet
				}
				return eventloop.System.Send(fd, bytes)
			}
		})
		client, down, _, b := seekers(t)
		b.deadline(client)
		send(t, client, "early")
		j := newJourney(quitter, greeter(t, ""))
		j.header = []byte(header)
		if taken, err := Go(down, j.header, len(header), j, j.options, nil); !taken || err != nil {
			t.Fatalf("taken %v, %v", taken, err)
		}
		_ = down.Close()
		expect(t, client, header+"early")
		_ = client.Close()
		j.end(t)
	}
}
