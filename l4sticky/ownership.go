package l4sticky

import (
	"errors"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A target may turn out to be this balancer itself, by a name that has changed or an address that no config shows. Each
// connection would make another one then. So a dial to a port that this process serves is remembered, and a connection
// that comes from such a dial knows the way that it has come.

var errOwnListener = errors.New("the target is this balancer's own listener, to which the connection has come back")

// servedPorts has a bit for each port on which sticky_proxy has got connections.
var servedPorts [1 << 16 / 32]atomic.Uint32

// noteServed remembers that the port of an address is served.
func noteServed(local net.Addr) {
	tcp, ok := local.(*net.TCPAddr)
	if !ok || tcp.Port < 0 || tcp.Port >= 1<<16 {
		return
	}
	bits, bit := &servedPorts[tcp.Port/32], uint32(1)<<(tcp.Port%32)
	if bits.Load()&bit == 0 {
		bits.Or(bit)
	}
}

// mayBeOwn reports whether a dial may come to this process.
func mayBeOwn(to netip.AddrPort) bool {
	return servedPorts[to.Port()/32].Load()>>(to.Port()%32)&1 != 0 && isOwnIP(to.Addr().Unmap())
}

// A stop is where a connection has come by on its way: the pool, and the address on which it was accepted.
type stop struct{ pool, local string }

// An ownDial is a connection of this process to itself, by the address of its dialling end.
type ownDial struct {
	way     []stop // to the handler that dials
	handler *Handler
	member  *target.Member
	open    func() bool // reports whether it still is that connection
}

// ownDials are those that are open, and some that are not any more.
var ownDials = struct {
	count atomic.Int32 // read without the lock, since there are none as a rule
	sync.Mutex
	byAddr map[netip.AddrPort]ownDial
}{byAddr: make(map[netip.AddrPort]ownDial)}

// purgeAt is for how many own dials those that have ended are looked for. It follows how many are open.
const purgeAt = 1000

// noteOwnDial remembers a dial to this process.
func noteOwnDial(local netip.AddrPort, d ownDial) {
	ownDials.Lock()
	defer ownDials.Unlock()
	if n := len(ownDials.byAddr); n >= purgeAt && n&(n-1) == 0 {
		for addr, other := range ownDials.byAddr {
			if !other.open() {
				delete(ownDials.byAddr, addr)
			}
		}
	}
	ownDials.byAddr[local] = d
	ownDials.count.Store(int32(len(ownDials.byAddr)))
}

// localPort returns the address of a connection's own end, or none when it is closed.
func localPort(conn net.Conn) netip.AddrPort {
	tcp, ok := conn.LocalAddr().(*net.TCPAddr)
	if socket, is := conn.(syscall.Conn); !ok || !is {
		return netip.AddrPort{}
	} else if raw, err := socket.SyscallConn(); err != nil || raw.Control(func(uintptr) {}) != nil {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(tcp.AddrPort().Addr().Unmap(), uint16(tcp.Port))
}

// cameFrom returns the own dial at the other end of a connection, by its address, if there is one.
func cameFrom(remote net.Addr) (d ownDial, own bool) {
	tcp, isTCP := remote.(*net.TCPAddr)
	if !isTCP || ownDials.count.Load() == 0 {
		return ownDial{}, false
	}
	ownDials.Lock()
	d, own = ownDials.byAddr[netip.AddrPortFrom(tcp.AddrPort().Addr().Unmap(), uint16(tcp.Port))]
	ownDials.Unlock()
	return d, own && d.open()
}

// wayOf returns the way on which a connection has come within this process before, and reports false if it has been here
// already. Then the target that has led here is taken out.
func (h *Handler) wayOf(bottom net.Conn) (way []stop, ok bool) {
	if ownDials.count.Load() == 0 {
		return nil, true
	}
	from, own := cameFrom(bottom.RemoteAddr())
	if !own {
		return nil, true
	}
	if slices.Contains(from.way, stop{h.dialer.name, bottom.LocalAddr().String()}) {
		from.handler.dialer.deactivate(from.member, errOwnListener)
		return nil, false
	}
	return from.way, true
}

// wayFrom returns the way on which a connection has come that was let in.
func wayFrom(remote net.Addr) []stop {
	from, _ := cameFrom(remote)
	return from.way
}

// Own remembers a dial that comes to this process.
func (p *picker) Own(d search.Dial, local netip.AddrPort, open func() bool) {
	way := append(slices.Clone(p.way), stop{p.dialer.name, p.local.String()})
	noteOwnDial(local, ownDial{way, p.Handler, d.Target.(*target.Member), open})
}
