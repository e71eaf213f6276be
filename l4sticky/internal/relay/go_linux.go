package relay

import (
	"net"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/keepalive"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/listen"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// Go carries a client to the target that its picker finds, and takes over its connection. It reports false, and has
// done nothing, if the connection is of a kind that it can't carry. The aborter may be nil.
func Go(conn net.Conn, early []byte, picker search.Picker, options *Options, aborter *Aborter) (bool, error) {
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
	p := &pair{options: options, aborter: aborter, promised: promised, picker: picker}
	p.Init(p)
	p.ends = [2]eventloop.Socket{client: {FD: fd}, target: {FD: -1}}
	if len(early) > 0 {
		p.pending[up] = &pending{bytes: early}
	}
	aborter.tie(fd)
	loop.Add(&p.Task)
	return true, nil
}
