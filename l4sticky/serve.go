package l4sticky

import (
	"errors"
	"fmt"
	"net"

	"github.com/mholt/caddy-l4/layer4"
	"github.com/pires/go-proxyproto"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/hijack"
	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/relay"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// Handle finds the client's target and has the relay carry the connection there and back. It returns when
// the relay has taken the connection over; only where that is not possible, it waits until both ends are done.
func (h *Handler) Handle(cx *layer4.Connection, _ layer4.Handler) error {
	var search *attempt // until the relay has it
	defer safely.Recover("sticky_proxy", func() {
		if search != nil {
			search.Lost(safely.ErrPanic)
		}
	})
	if !h.dialer.run.await() {
		return nil
	}
	remote := cx.RemoteAddr()
	if isPacket(cx.Conn) {
		h.dialer.refused(remote, errors.New("sticky_proxy carries no datagrams; use proxy with lb_policy sticky_ip"))
		return nil
	}
	if err := connchain.HeaderError(cx.Conn); err != nil {
		h.dialer.refused(remote, err)
		return nil
	}
	bottom := connchain.Bottom(cx.Conn)
	noteServed(bottom.LocalAddr())
	way, ok := h.wayOf(bottom)
	if !ok {
		relay.Dismiss(cx.Conn)
		return nil
	}
	header, err := h.proxyHeader(cx)
	if err != nil {
		h.dialer.refused(remote, err)
		return nil
	}
	down, early := downstream(cx)
	first := append(header, early...)
	if search = h.attempt(remote); search == nil {
		relay.Dismiss(down)
		return nil
	}
	search.header, search.way, search.local = len(header), way, bottom.LocalAddr()
	safely.Reach("sticky_proxy")
	var leash *relay.Leash
	if hijack.Watched(cx) {
		leash = new(relay.Leash)
		search.over = hijack.Hijack(cx, leash.Pull)
	}
	taken, err := false, error(nil)
	if h.plain {
		taken, err = relay.Go(down, first, search, &h.times, leash)
	}
	a := search
	search = nil
	switch {
	case err != nil:
		a.Lost(err)
	case !taken:
		h.carry(down, first, len(header), a)
	}
	return nil
}

// attempt begins the search for the client's target. It returns nil if a limit keeps the client out.
func (h *Handler) attempt(remote net.Addr) (a *attempt) {
	v := h.dialer.poolConfig
	var session *clientSession
	defer func() {
		if a != nil {
			return
		}
		if session != nil {
			v.sessions.Release(session)
		}
		v.leave()
	}()
	if open := v.enter(); h.MaxConnections > 0 && open > int64(h.MaxConnections) {
		h.over(remote, "max_connections", h.MaxConnections)
		return nil
	}
	client := v.client(remote)
	session, allowed := v.acquire(client, h.MaxConnectionsPerClient)
	if !allowed {
		h.over(remote, "max_connections_per_client", h.MaxConnectionsPerClient)
		return nil
	}
	safely.Reach("sticky_proxy attempt")
	_, known := v.sessions.Look(session)
	a = attempts.Get().(*attempt)
	a.Handler, a.session, a.client, a.remote, a.known = h, session, client, remote, known
	a.tried = a.room[:0]
	return a
}

// over tells that a connection is kept out which is over a limit.
func (h *Handler) over(remote net.Addr, option string, limit int) {
	safely.Reach("sticky_proxy limit")
	blocked.WithLabelValues(h.dialer.name, option).Inc()
	if h.dialer.lines.Admit() {
		h.dialer.logger.Info("blocked a client", zap.Stringer("client", remote), zap.String("reason", fmt.Sprintf("%s, which is %d", option, limit)))
	}
}

// carry relays a connection while it waits.
func (h *Handler) carry(down net.Conn, first []byte, header int, a *attempt) {
	up, line := relay.Connect(a, &h.times, a.dialling())
	if line == nil {
		relay.Dismiss(down)
		return
	}
	defer up.Close()
	h.times.KeepAlive.Apply(down)
	relay.Run(down, up, first, header, line, &h.times)
}

// A line is a connection that has its target.
type line struct {
	handler  *Handler
	session  *clientSession
	upstream *target.Member
	header   int
	over     func() // to be called at the end, if not nil
}

// TargetFailed makes sure of a target whose connection broke.
func (l *line) TargetFailed() { l.handler.dialer.verify(l.upstream) }

// Done gives back what the connection held.
func (l *line) Done(r relay.Result) {
	d := l.handler.dialer
	if l.over != nil {
		defer l.over()
	}
	defer d.leave()
	defer d.sessions.Release(l.session)
	defer l.upstream.Release()
	safely.Reach("sticky_proxy end")
	if entry := d.logger.Check(zap.DebugLevel, "connection ended"); entry != nil {
		entry.Write(
			zap.Stringer("client", l.session.Client()),
			zap.Stringer("upstream", l.upstream.Config.Address),
			zap.Int64("bytes_up", max(0, r.ToTarget-int64(l.header))),
			zap.Int64("bytes_down", r.ToClient),
			zap.NamedError("client_error", r.ClientErr),
			zap.NamedError("upstream_error", r.TargetErr))
	}
}

// refused logs why a connection is closed unserved.
func (d *dialer) refused(remote net.Addr, err error) {
	if d.lines.Admit() {
		d.logger.Error("closing a connection", zap.Stringer("remote", remote), zap.Error(err))
	}
}

// proxyHeader returns the PROXY protocol header for the connection, or nothing if none is wanted.
func (h *Handler) proxyHeader(cx *layer4.Connection) ([]byte, error) {
	if h.ppVersion == 0 {
		return nil, nil
	}
	header := proxyproto.HeaderProxyFromAddrs(h.ppVersion, cx.RemoteAddr(), cx.LocalAddr())
	if header.TransportProtocol != proxyproto.UNSPEC {
		header.Command = proxyproto.PROXY
	}
	bytes, err := header.Format()
	if err != nil {
		return nil, fmt.Errorf("making the PROXY header: %w", err)
	}
	return bytes, nil
}
