package names

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"time"
)

// maxLookups is how many look-ups of a Resolver are under way at a time. Each asks up to two questions, and many a server on the
// machine itself takes no more than 150 at a time, as dnsmasq does.
const maxLookups = 64

// A Resolver looks names up as net.Resolver does, with the hosts file and the search list. It makes do with few sockets, and
// with few questions at a time. All of its methods may be called on any goroutine; it need not be closed.
type Resolver struct {
	servers []server // that are asked one after the other
	slots   chan struct{}
}

// A server has the address at which it is asked, which is empty for those of the system.
type server struct {
	*net.Resolver
	address string
}

// NewResolver returns a resolver that asks the servers, which are addresses with a port, in their order until one answers. Without
// servers it asks those of the system, in the system's way.
func NewResolver(servers ...string) *Resolver {
	r := &Resolver{slots: make(chan struct{}, maxLookups)}
	sockets := new(sockets)
	if len(servers) == 0 {
		r.servers = []server{{&net.Resolver{Dial: sockets.dial}, ""}}
	}
	for _, address := range servers {
		dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
			return sockets.dial(ctx, network, address)
		}
		r.servers = append(r.servers, server{&net.Resolver{PreferGo: true, Dial: dial}, address})
	}
	return r
}

// LookupNetIP returns the addresses of a host. The network is "ip", "ip4" or "ip6".
func (r *Resolver) LookupNetIP(ctx context.Context, network, host string) (addrs []netip.Addr, err error) {
	err = r.ask(ctx, func(ctx context.Context, server *net.Resolver) (err error) {
		addrs, err = server.LookupNetIP(ctx, network, host)
		return err
	})
	for i := range addrs {
		addrs[i] = addrs[i].Unmap()
	}
	return addrs, err
}

// LookupSRV returns the SRV records of `_service._proto.name`, or those of the name if service and proto are empty. There may be
// records and an error, which is about others that are wrong.
func (r *Resolver) LookupSRV(ctx context.Context, service, proto, name string) (records []*net.SRV, err error) {
	err = r.ask(ctx, func(ctx context.Context, server *net.Resolver) (err error) {
		_, records, err = server.LookupSRV(ctx, service, proto, name)
		return err
	})
	return records, err
}

// ask asks one server after the other until one answers, be it that there is no such name. Each gets its share of the time.
func (r *Resolver) ask(ctx context.Context, question func(context.Context, *net.Resolver) error) (err error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return ctx.Err()
	}
	for i, server := range r.servers {
		one, cancel := ctx, context.CancelFunc(func() {})
		if deadline, limited := ctx.Deadline(); limited {
			one, cancel = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(len(r.servers)-i))
		}
		err = question(one, server.Resolver)
		cancel()
		err = server.explain(err)
		var answer *net.DNSError
		if err == nil || ctx.Err() != nil || errors.As(err, &answer) && answer.IsNotFound {
			return err
		}
	}
	return err
}

// explain names the server in an error. A net.Resolver names that of the system, whichever is asked.
func (s server) explain(err error) error {
	var answer *net.DNSError
	if s.address == "" || !errors.As(err, &answer) {
		return err
	}
	explained := *answer // others may have the same
	explained.Server = s.address
	return &explained
}
