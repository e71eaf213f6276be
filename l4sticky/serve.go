package l4sticky

import (
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/mholt/caddy-l4/layer4"
	"github.com/pires/go-proxyproto"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/hijack"
	"github.com/caddy-sticky/caddy-sticky/internal/connchain"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/connect"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/relay"
)

// Handle finds the client's target and has the relay carry the connection there and back. It returns when
// the relay has taken the connection over; only where that is not possible, it waits until both ends are done.
func (h *Handler) Handle(cx *layer4.Connection, _ layer4.Handler) error {
	var p *picker // until the relay has it
	defer safely.Recover("sticky_proxy", func() {
		if p != nil {
			p.Lost(safely.ErrPanic)
		}
	})
	if !h.dialer.run.await() {
		return nil
	}
	remote := cx.RemoteAddr()
	a := h.newAccess(cx)
	if isPacket(cx.Conn) {
		h.reject(remote, a, errDatagrams)
		return nil
	}
	if err := connchain.HeaderError(cx.Conn); err != nil {
		h.reject(remote, a, err)
		return nil
	}
	bottom := connchain.Bottom(cx.Conn)
	noteServed(bottom.LocalAddr())
	way, ok := h.wayOf(bottom)
	if !ok {
		a.turnedAway("rejected", errOwnListener)
		h.dialer.counts.over(connFailed)
		connchain.Dismiss(cx.Conn)
		return nil
	}
	header, err := h.proxyHeader(cx)
	if err != nil {
		h.reject(remote, a, err)
		return nil
	}
	down, early := downstream(cx)
	first := append(header, early...)
	if p = h.newPicker(remote, a); p == nil {
		connchain.Dismiss(down)
		return nil
	}
	p.header, p.way, p.local = header, way, bottom.LocalAddr()
	safely.Reach("sticky_proxy")
	var aborter *relay.Aborter
	if hijack.Watched(cx) {
		aborter = new(relay.Aborter)
		p.done = hijack.Hijack(cx, a.abort(aborter.Abort))
	}
	taken, err := false, error(nil)
	if h.plain {
		taken, err = relay.Go(down, first, len(header), p, &h.times, aborter)
	}
	relayed := p
	p = nil
	switch {
	case err != nil:
		relayed.Lost(err)
	case !taken:
		h.carry(down, first, len(header), relayed)
	}
	return nil
}

// newPicker returns what chooses the target for a connection. It returns nil if a limit keeps the client out.
func (h *Handler) newPicker(remote net.Addr, a *access) *picker {
	held, allowed := h.acquire(remote, a)
	if !allowed {
		return nil
	}
	p := pickers.Get().(*picker)
	p.holding, p.client, p.remote = held, held.session.Client(), remote
	p.tried, p.access = p.room[:0], a
	a.came(held.session)
	return p
}

// refuse tells that a connection is kept out which is over a limit.
func (h *Handler) refuse(remote net.Addr, a *access, option string, value any) {
	safely.Reach("sticky_proxy limit")
	h.dialer.counts.block(option)
	admitted := h.dialer.lines.Admit()
	if !admitted && a == nil {
		return
	}
	reason := fmt.Errorf("%s, which is %v", option, value)
	if admitted {
		h.dialer.logger.Info("blocked a client", zap.Stringer("client", remote), reasonOf(reason))
	}
	a.turnedAway("limit", reason)
}

// carry relays a connection while it waits.
func (h *Handler) carry(down net.Conn, first []byte, header int, p *picker) {
	up, established := connect.Find(p, &h.times.Options, p.dialFunc())
	if established == nil {
		connchain.Dismiss(down)
		return
	}
	h.times.KeepAlive.Apply(down)
	relay.Run(down, up, first, header, established, &h.times)
}

// errDatagrams is why a connection of UDP is not served.
var errDatagrams = errors.New("sticky_proxy carries no datagrams; use proxy with lb_policy sticky_ip")

// reject tells that a connection is closed before anything is done for it.
func (h *Handler) reject(remote net.Addr, a *access, err error) {
	h.dialer.refused(remote, err)
	a.turnedAway("rejected", err)
}

// refused logs why a connection is closed unserved.
func (d *dialer) refused(remote net.Addr, err error) {
	if err == errNoTarget {
		d.counts.over(connNoUpstream)
	} else {
		d.counts.over(connFailed)
	}
	if d.lines.Admit() {
		d.logger.Error("closing a connection", zap.Stringer("client", remote), zap.Error(err))
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
	if err := passOn(header, connchain.Header(cx.Conn)); err != nil {
		return nil, fmt.Errorf("passing on what the PROXY header says more: %w", err)
	}
	bytes, err := header.Format()
	if err != nil {
		return nil, fmt.Errorf("making the PROXY header: %w", err)
	}
	return bytes, nil
}

// passOn puts the extensions (TLVs) of the header that came with a connection into the one that is sent, if that has a
// version with extensions. The checksum is none of them, since it is that of the other header, and neither is padding.
// Extensions that can't be read are left out.
func passOn(header, came *proxyproto.Header) error {
	if came == nil || header.Version != 2 {
		return nil
	}
	extensions, err := came.TLVs()
	if err != nil {
		return nil
	}
	return header.SetTLVs(slices.DeleteFunc(extensions, func(e proxyproto.TLV) bool {
		return e.Type == proxyproto.PP2_TYPE_CRC32C || e.Type == proxyproto.PP2_TYPE_NOOP
	}))
}

// probeHeader returns the header by which a connection that is no client's begins, or nothing if none is wanted.
func probeHeader(version byte) []byte {
	if version == 0 {
		return nil
	}
	header := proxyproto.Header{Version: version, Command: proxyproto.LOCAL, TransportProtocol: proxyproto.UNSPEC}
	bytes, err := header.Format()
	if err != nil {
		return nil // it is the same always, and a test looks at it
	}
	return bytes
}
