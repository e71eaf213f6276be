package l4sticky

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/keepalive"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A dialer connects to the targets of a pool. What becomes of its dials tells which targets are active.
type dialer struct {
	*poolConfig
	net       net.Dialer
	timeout   time.Duration
	keepAlive keepalive.Options
	header    []byte // by which a probe begins
	logger    *zap.Logger
	lines     loglimit.Limiter        // of the log lines that strangers can cause
	renewed   atomic.Pointer[Handler] // what goes on in the config that took over last, if connections waited meanwhile
}

// newDialer returns the dialer of a handler.
func newDialer(c *poolConfig, timeout time.Duration, keepAlive keepalive.Options, logger *zap.Logger) *dialer {
	d := &dialer{poolConfig: c, timeout: timeout, keepAlive: keepAlive, logger: logger.With(zap.String("pool", c.name))}
	return d.limitLines()
}

// within returns the same dialer for another config that has the pool.
func (d *dialer) within(c *poolConfig) *dialer {
	other := &dialer{poolConfig: c, timeout: d.timeout, keepAlive: d.keepAlive, header: d.header, logger: d.logger}
	return other.limitLines()
}

func (d *dialer) limitLines() *dialer {
	d.lines.LeftOut = func(lines int) {
		d.logger.Warn("left lines about connections out of the log", zap.Int("left_out", lines))
	}
	return d
}

// dial connects to the target.
func (d *dialer) dial(ctx context.Context, m *target.Member) (net.Conn, error) {
	dial := d.dialKnown
	if !m.Config.At[0].IsValid() {
		dial = d.dialAddress
	}
	conn, err := dial(ctx, m)
	if err == nil {
		d.keepAlive.Apply(conn)
	}
	return conn, err
}

// dialAddress connects to the target at the address that the config has, and looks its name up if it has one.
func (d *dialer) dialAddress(ctx context.Context, m *target.Member) (net.Conn, error) {
	return d.net.DialContext(ctx, m.Config.Address.Network, m.Config.Address.Dial)
}

// dialKnown connects to one of the addresses of a target after the other.
func (d *dialer) dialKnown(ctx context.Context, m *target.Member) (net.Conn, error) {
	return d.dialFirst(ctx, m.Addrs(), m.Reached)
}

// dialFirst connects to one of the addresses after the other, and tells which one it has reached.
func (d *dialer) dialFirst(ctx context.Context, addrs []netip.AddrPort, reached func(netip.AddrPort)) (conn net.Conn, err error) {
	deadline, _ := ctx.Deadline()
	for i, at := range addrs {
		one, cancel := context.WithDeadline(ctx, time.Now().Add(time.Until(deadline)/time.Duration(len(addrs)-i)))
		conn, err = d.net.DialContext(one, "tcp", at.String())
		cancel()
		if err == nil {
			reached(at)
			return conn, nil
		}
	}
	if err == nil {
		err = errors.New("no address is known")
	}
	return nil, err
}

// notBlamed logs a dial that failed by nothing that speaks against the target. No other log line tells of it.
func (d *dialer) notBlamed(m *target.Member, err error) {
	if d.lines.Admit() {
		d.logger.Warn("a dial failed, which is not held against the upstream", append(upstreamFields(m), zap.Error(err))...)
	}
}

// upstreamsFull is the reason in the metrics.
const upstreamsFull = "upstreams_full"

// isFull reports whether a target would get connections if it had not all that it may have.
func isFull(m *target.Member) bool {
	return !m.Deactivated() && m.Mode() != target.Maintenance && m.Full()
}

// allFull tells that a connection is closed because the targets have all the connections that they may have.
func (d *dialer) allFull(remote net.Addr) {
	d.counts.block(upstreamsFull)
	if !d.lines.Admit() {
		return
	}
	full, limit := 0, 0
	for _, m := range d.targets.Members() {
		if isFull(m) {
			full, limit = full+1, limit+m.MaxConnections()
		}
	}
	d.logger.Warn("all upstreams are full", zap.Stringer("client", remote), zap.Int("upstreams", full), zap.Int("max_connections", limit))
}

// splits tells that a connection goes to another target than others of its client, which is not the client's or the target's fault.
func (d *dialer) splits(s *clientSession, m *target.Member, others target.Address, reason string) {
	if d.lines.Admit() {
		d.logger.Warn("a client has connections to two upstreams, since "+reason, append(upstreamFields(m),
			zap.Stringer("client", s.Client()), zap.Stringer("other", others))...)
	}
}

// redispatches tells that a connection goes on at another target, since the one that it had has ended it before it was used.
func (d *dialer) redispatches(s *clientSession, from, to *target.Member) {
	if d.lines.Admit() {
		d.logger.Warn("taking a connection to another upstream, since its own ended it before it was used", append(upstreamFields(from),
			zap.Stringer("client", s.Client()), zap.Stringer("other", to.Config.Address))...)
	}
}

// accepts notes that the target accepted a connection, which ends a deactivation.
func (d *dialer) accepts(m *target.Member) {
	if since, was := m.Activate(); was {
		d.tellOf(m, upstreamActivated, append(lasted("deactivated_for", since), zap.String("reason", "it accepts connections"))...)
	}
}

// answers notes that a dial to the target has succeeded, which ends a suspicion.
func (d *dialer) answers(m *target.Member) {
	if since, was := m.Accepted(); was {
		d.tellOf(m, upstreamTrusted, lasted("suspected_for", since)...)
	}
}

// suspects is told that a target has become suspect, because it lets the dials of several clients wait.
func (d *dialer) suspects(m *target.Member) {
	d.tellOf(m, upstreamSuspected, zap.String("reason", "dials of several clients are late"))
	d.verify(m)
}

// verify looks at a target after something went wrong with a connection to it, which does not tell that the
// target is gone: it is deactivated only if it does not accept another one. There is one such probe of a target
// at a time.
func (d *dialer) verify(m *target.Member) {
	if m.BeginProbe(nil) {
		go safely.Do("probe", func() { d.probe(m) })
	}
}

func (d *dialer) probe(m *target.Member) {
	defer m.EndProbe()
	safely.Reach("probe")
	ctx, cancel := context.WithTimeout(context.Background(), d.timeout)
	defer cancel()
	conn, err := d.dial(ctx, m)
	if err == nil {
		if len(d.header) > 0 {
			_ = conn.SetWriteDeadline(time.Now().Add(d.timeout))
			_, _ = conn.Write(d.header)
		}
		_ = conn.Close()
	}
	switch {
	case err == nil, wasAccepted(err):
		d.answers(m)
		d.accepts(m)
	case !isBlameless(err):
		d.deactivate(m, err)
	default:
		d.notBlamed(m, err)
		d.answers(m) // nothing is known, and no other goroutine would probe a suspect: dials that are late raise the suspicion anew
	}
}

// exhausted are the errors by which a dial fails for want of this machine's resources. They say nothing
// about the target, and another one would fail alike.
var exhausted = []syscall.Errno{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM}

func isExhausted(err error) bool {
	var lookup *net.DNSError
	inLookup := errors.As(err, &lookup)
	return slices.ContainsFunc(exhausted, func(local syscall.Errno) bool {
		// The resolver keeps nothing but the text of its error.
		return errors.Is(err, local) || inLookup && strings.HasSuffix(lookup.Err, local.Error())
	})
}

// isOurs reports whether a dial failed for want of this machine's resources, source ports among them.
func isOurs(err error) bool { return isExhausted(err) || errors.Is(err, syscall.EADDRNOTAVAIL) }

// wasAccepted reports whether a dial failed although the target accepted: it resets a connection that it does
// not want, and only refuses one for which no socket listens.
func wasAccepted(err error) bool { return errors.Is(err, syscall.ECONNRESET) }

// isBlameless reports whether a failed dial says nothing against the target. Besides what is exhausted, there
// may be no source port left for it. Another target may accept.
func isBlameless(err error) bool {
	return isOurs(err) || wasAccepted(err) || errors.Is(err, safely.ErrPanic)
}
