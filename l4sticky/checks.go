package l4sticky

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/health"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A checking is how the targets of a config are checked. It never changes.
type checking struct {
	options  *HealthCheck // nil if they are not checked
	protocol string       // of the PROXY header
	check    health.Check
	ask      []byte  // what the targets' agents are sent
	dialer   *dialer // whose lines of the log they share
}

// A task is what a checker does: it checks a target, or asks the target's agent.
type task struct {
	*target.Target
	agent bool
}

// A checker does its task for the config of the pool that counts.
type checker struct {
	*health.Loop
	task
	pool *pool

	// What is known of the agent, on the loop's goroutine.
	silent  bool   // it has not answered the last time
	unknown string // a word of its last line that has no meaning
}

// checkTargets has the targets checked as a handler tells. It returns an error if another handler of the config tells otherwise, or if
// an upstream can't be checked in this way.
func (c *poolConfig) checkTargets(h *Handler) error {
	n := &checking{options: h.HealthCheck, protocol: h.ProxyProtocol, dialer: h.dialer}
	if n.options != nil {
		check, err := n.options.newCheck()
		if err != nil {
			return err
		}
		check.Header = h.dialer.header
		n.check = check
		if n.ask, err = unescape(n.options.AgentSend); err != nil {
			return err
		}
		if err := n.options.checkPorts(c.settings.upstreams); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.checking != nil {
		if err := c.checking.checkAgreement(n); err != nil {
			return fmt.Errorf("pool '%s': two handlers have %w; name a pool for each with the pool option", c.name, err)
		}
		return nil
	}
	c.checking = n
	c.pool.unsyncedCheckTargets()
	return nil
}

// checkAgreement returns an error that names what differs between two handlers of a config that share a pool.
func (n *checking) checkAgreement(other *checking) error {
	switch {
	case n.options == nil && other.options == nil:
		return nil
	case n.options == nil || other.options == nil:
		return errors.New("a different health_check (one has none)")
	case n.protocol != other.protocol:
		return fmt.Errorf("a health_check and a different proxy_protocol ('%s' and '%s')", n.protocol, other.protocol)
	}
	if err := n.options.table().CheckSame(other.options.table()); err != nil {
		return fmt.Errorf("a different health_check: %w", err)
	}
	return nil
}

// unsyncedCheckTargets begins to check the targets of the config that counts which are not checked yet, and ends the checks of all others.
// A target keeps what its checks have shown while it is checked, also over a reload. The lock must be held.
func (p *pool) unsyncedCheckTargets() {
	wanted := p.unsyncedToCheck()
	for t, c := range p.checks {
		interval, stays := wanted[t]
		if stays && interval == c.Interval {
			continue
		}
		c.Close()
		delete(p.checks, t)
		switch {
		case stays:
		case t.agent:
			p.forgetAgent(t.Target)
		default:
			t.Unchecked()
		}
	}
	for t, interval := range wanted {
		if p.checks[t] == nil {
			p.unsyncedStartChecker(t, interval)
		}
	}
}

func (p *pool) unsyncedStartChecker(t task, interval time.Duration) {
	c := &checker{pool: p, task: t}
	if p.checks == nil {
		p.checks = make(map[task]*checker)
	}
	p.checks[t] = c
	once := c.once
	if t.agent {
		once = c.askOnce
	}
	c.Loop = health.Start(interval, once)
}

// unsyncedToCheck returns what the config that counts wants to be done, with the interval. A name that was never resolved
// has nothing that could be dialled. The lock must be held.
func (p *pool) unsyncedToCheck() map[task]time.Duration {
	c := p.applied.Load()
	if c == nil || c.checking == nil || c.checking.options == nil {
		return nil
	}
	wanted := make(map[task]time.Duration)
	options := c.checking.options
	for _, m := range c.targets.Members() {
		if c.names[m.Config.Address] != nil && !m.Config.At[0].IsValid() {
			continue
		}
		wanted[task{m.Target, false}] = time.Duration(options.Interval)
		if options.AgentPort != 0 {
			wanted[task{m.Target, true}] = time.Duration(options.AgentInterval)
		}
	}
	return wanted
}

// once checks the target once.
func (c *checker) once(ctx context.Context) {
	safely.Reach("health check")
	config, m, n := c.current()
	if m == nil {
		return
	}
	began := monotonic()
	err := n.look(ctx, m)
	if ctx.Err() != nil {
		return // the target is not to be checked any more, or by another loop
	}
	var unknown *unknownError
	if errors.As(err, &unknown) {
		n.dialer.notBlamed(m, unknown)
		return
	}
	if change, counts := c.judge(err == nil, began, n.rules()); counts {
		config.tellChecked(m, change, err)
	}
}

// current returns the config that counts, the target's place in it, and how it is checked.
func (c *checker) current() (*poolConfig, *target.Member, *checking) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	config := c.pool.applied.Load()
	if config == nil || c.pool.checks[c.task] != c {
		return nil, nil, nil
	}
	return config, config.targets.Member(c.Target), config.checking
}

// judge gives a result to the target, unless its checks have ended meanwhile.
func (c *checker) judge(passed bool, began time.Duration, rules target.Rules) (change target.Change, counts bool) {
	c.pool.mu.Lock()
	defer c.pool.mu.Unlock()
	if c.pool.checks[c.task] != c {
		return change, false
	}
	return c.Checked(passed, began, rules), true
}

// rules returns what the results mean.
func (n *checking) rules() target.Rules {
	return target.Rules{Rise: n.options.Rise, Fall: n.options.Fall, Serves: n.options.Type != checkTCP}
}

// tellChecked tells what the result of a check has changed.
func (c *poolConfig) tellChecked(m *target.Member, change target.Change, err error) {
	if change.Fell {
		m.Deactivations.Add(target.FailedCheck)
		m.Explain(textOf(err))
		c.tellOf(m, checkFailed, reasonOf(err))
		c.refreshIfDown(m)
		c.endWhenDown(m)
	}
	if change.Rose {
		c.tellOf(m, checkPassed, lasted("down_for", change.DownFor)...)
	}
	if change.Activated {
		c.tellOf(m, upstreamActivated, append(lasted("deactivated_for", change.DeactivatedFor), zap.String("reason", "its checks pass"))...)
	}
}

// An unknownError is why a check could not be made. It says nothing about the target.
type unknownError struct{ error }

// look looks at a target, and returns why the check failed.
func (n *checking) look(ctx context.Context, m *target.Member) error {
	deadline := time.Now().Add(time.Duration(n.options.Timeout))
	dialling, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	conn, err := n.dial(dialling, m, n.options.Port)
	switch {
	case err == nil:
	case wasAccepted(err) && n.options.Type == checkTCP && !n.options.TLS:
		return nil
	case isOurs(err):
		return &unknownError{err}
	default:
		return err
	}
	defer conn.Close()
	check := n.check // with what is the target's
	upstream := upstreamOf(m)
	if check.TLS != nil && check.TLS.ServerName == "" {
		check.TLS = check.TLS.Clone()
		check.TLS.ServerName = hostOf(upstream)
	}
	if check.HTTP != nil && check.HTTP.Host == "" {
		request := *check.HTTP
		request.Host = upstream.Dial
		if upstream.Network == "unix" {
			request.Host = "localhost"
		}
		check.HTTP = &request
	}
	return check.Run(ctx, conn, deadline)
}

// hostOf returns the host of an upstream, which is this machine if the address has none.
func hostOf(a target.Address) string {
	host, _, _ := a.Split()
	return cmp.Or(host, "localhost")
}

// dial connects to a target, at another port if that is not 0.
func (n *checking) dial(ctx context.Context, m *target.Member, port int) (net.Conn, error) {
	switch {
	case port == 0:
		return n.dialer.dial(ctx, m)
	case m.Config.At[0].IsValid():
		var addrs []netip.AddrPort
		for _, a := range m.Addrs() {
			addrs = append(addrs, netip.AddrPortFrom(a.Addr(), uint16(port)))
		}
		return n.dialer.dialFirst(ctx, addrs, func(netip.AddrPort) {})
	}
	host, _, _ := m.Config.Address.Split()
	return n.dialer.net.DialContext(ctx, m.Config.Address.Network, net.JoinHostPort(host, strconv.Itoa(port)))
}
