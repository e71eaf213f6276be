package relay

import (
	"context"
	"net/netip"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// slowName is a target whose name is looked up until the test says that it has no address.
type slowName struct {
	place
	asked, answer chan struct{}
}

func (slowName) Addrs() []netip.AddrPort { return nil }

func (n slowName) Resolve(context.Context) ([]netip.AddrPort, error) {
	close(n.asked)
	<-n.answer
	return nil, errNoName
}

// TestSpareThatHasClosed settles for a target that has said all and has left by then.
func TestSpareThatHasClosed(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		ln := conntest.Listen(t)
		slow := slowName{asked: make(chan struct{}), answer: make(chan struct{})}
		client, down, picker, _ := seekers(t, at(ln), slow)
		picker.wants = func(search.Target) bool { return false }
		find(t, down, picker, patient())
		target, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer target.Close()
		<-slow.asked
		send(t, target, "all I have")
		halfClose(t, target)
		// A loop has heard of that when it answers for another pair, whose event came later.
		other, down, picker, _ := seekers(t, greeter(t, "later"))
		find(t, down, picker, patient())
		expect(t, other, "later")
		close(slow.answer)
		expect(t, client, "all I have")
		expectEnd(t, client)
	})
}
