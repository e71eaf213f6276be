package relay

import (
	"net"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/connect"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/keepalive"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/listen"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// Go carries a client to the target that its picker finds, and takes over its connection. It reports false, and has
// done nothing, if the connection is of a kind that it can't carry. The target gets the early bytes first, of which so many
// as announced says are another's than the client's. The aborter may be nil.
func Go(conn net.Conn, early []byte, announced int, picker search.Picker, options *Options, aborter *Aborter) (bool, error) {
	fd, promised, fresh, ok, err := listen.TakeSocket(conn)
	if !ok || err != nil {
		return ok, err
	}
	if !fresh || options.KeepAlive != keepalive.Default {
		options.KeepAlive.ApplyTo(fd)
	}
	loop, err := eventloop.Pick()
	if err != nil {
		promised.Release()
		eventloop.Close(fd)
		return true, err
	}
	p := &pair{finder: connect.NewFinder(picker, &options.Options), flow: flow.New(&options.Limits), aborter: aborter, promised: promised}
	p.Init(p)
	p.ends = [2]eventloop.Socket{client: {FD: fd}, target: {FD: -1}}
	if len(early) > announced {
		p.flow.Bind()
	}
	if len(early) > 0 {
		p.pending[up] = &pending{bytes: early}
	}
	aborter.tie(fd)
	loop.Add(&p.Task)
	return true, nil
}
