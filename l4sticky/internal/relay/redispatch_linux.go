package relay

import (
	"net"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/connect"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
)

// redispatch makes the pair a search again, for another target than the one that it has had. The finder has the socket of that
// one, to which the pair comes back by Connected if there is no other.
func (p *pair) redispatch() {
	fd := p.ends[client].FD
	to := p.established.(Redispatcher).Redispatch(net.TCPAddrFromAddrPort(eventloop.LocalAddr(fd)), net.TCPAddrFromAddrPort(eventloop.RemoteAddr(fd)))
	p.established, p.finder = nil, connect.NewFinder(to.Picker, to.Options)
	had := p.ends[target]
	p.ends[target] = eventloop.Socket{FD: -1}
	if p.free(up); len(to.Header) > 0 {
		p.pending[up] = &pending{bytes: to.Header}
	}
	p.find(func(f *connect.Finder) { f.Resume(&p.Task, target, p, to.Had, had) })
}
