package l4sticky

import (
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/share"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// The families of metrics that pools have.
var (
	metricConnections   = gauge("connections", "Connections that are open, with those that have no upstream yet.")
	metricResults       = counter("connections_total", "Connections that are over, by how they ended.", "result")
	metricDuration      = newDesc("connection_duration_seconds", "How long connections were open that had an upstream.")
	metricDialDuration  = newDesc("dial_duration_seconds", "How long dials took that succeeded.")
	metricDials         = counter("dials_total", "Dials for connections of clients.", "upstream", "result")
	metricFailovers     = counter("failovers_total", "How often connections went to another upstream than they wanted first, by why not there.", "reason")
	metricBytes         = counter("bytes_total", "Bytes that were delivered to upstreams (up) and to clients (down), also by connections that are open.", "upstream", "direction")
	metricUpstreamConns = gauge("upstream_connections", "Connections to the upstream that are open or being dialled.", "upstream")
	metricUpstreamSess  = gauge("upstream_sessions", "Sessions at the upstream: live ones have connections, idle ones expire.", "upstream", "state")
	metricUpstreamState = gauge("upstream_state", "1 for the state that the upstream has, 0 for the others.", "upstream", "state")
	metricDeactivations = counter("deactivations_total", "How often the upstream was taken out, and why.", "upstream", "reason")
	metricSessions      = gauge("sessions", "Sessions that have an upstream: live ones have connections, idle ones expire.", "state")
	metricSessionEvents = counter("sessions_total", "What has happened to sessions.", "event")
	metricBlocked       = counter("blocked_total", "Connections that a limit has kept out: that of an option, or of all upstreams (upstreams_full).", "reason")
	metricStoreLookups  = counter("store_lookups_total", "Clients that the session store was to be asked for, by what came of it.", "result")
	metricStoreUpdates  = counter("store_updates_total", "Sessions that the session store was told.")
	metricStoreErrors   = counter("store_errors_total", "Requests to the session store that failed.")
	metricStoreUp       = gauge("store_up", "1 if the session store works, 0 if it does not or there is none.")
	metricQueue         = gauge("queue", "Connections that wait for an upstream that is full.")
)

var panics = prometheus.NewCounterFunc(prometheus.CounterOpts{
	Namespace: "caddy_sticky",
	Name:      "panics_total",
	Help:      "Panics, each of which has ended one connection at most and is logged with its stack.",
}, func() float64 { return float64(safely.Panics()) })

// registerMetrics adds the collectors to the registry of a config, in which another module may have put them already.
func registerMetrics(config *prometheus.Registry) error {
	for _, c := range []prometheus.Collector{poolMetrics{}, panics} {
		var known prometheus.AlreadyRegisteredError
		if err := config.Register(c); err != nil && !errors.As(err, &known) {
			return err
		}
	}
	return nil
}

// A family is all that the pools have of one metric.
type family struct {
	*prometheus.Desc
	kind prometheus.ValueType
}

// families has all that pools have.
var families []*prometheus.Desc

func newDesc(name, help string, labels ...string) *prometheus.Desc {
	d := prometheus.NewDesc("caddy_sticky_"+name, help, append([]string{"pool"}, labels...), nil)
	families = append(families, d)
	return d
}

func gauge(name, help string, labels ...string) family {
	return family{newDesc(name, help, labels...), prometheus.GaugeValue}
}

func counter(name, help string, labels ...string) family {
	return family{newDesc(name, help, labels...), prometheus.CounterValue}
}

// labelValue returns a text as a label may have it.
func labelValue(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// poolMetrics reads the metrics from the pools when they are asked for. So they go on right through reloads, though each config
// has a registry of its own; what is about a pool or a target ends with it; and connections pay for nothing but the counting.
type poolMetrics struct{}

// Describe tells of all families.
func (poolMetrics) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range families {
		ch <- d
	}
}

// Collect tells of all pools, also of those that only connections have.
func (poolMetrics) Collect(ch chan<- prometheus.Metric) {
	var all []*pool
	pools.Range(func(_, value any) bool {
		all = append(all, value.(*pool))
		return true
	})
	for _, p := range all {
		p.collect(&scrape{ch, labelValue(p.name)})
	}
}

// A scrape takes the metrics of one pool.
type scrape struct {
	out  chan<- prometheus.Metric
	pool string
}

// put takes the value of a metric with its labels after that of the pool.
func (s *scrape) put(f family, value int64, labels ...string) {
	s.out <- prometheus.MustNewConstMetric(f.Desc, f.kind, float64(value), append([]string{s.pool}, labels...)...)
}

func (p *pool) collect(s *scrape) {
	s.put(metricConnections, p.open.Load())
	s.put(metricQueue, p.waiting.Load())
	for r, name := range connResultNames {
		s.put(metricResults, p.counts.results[r].Load(), name)
	}
	for kind, name := range sessionEvents {
		s.put(metricSessionEvents, p.counts.sessions[kind].Load(), name)
	}
	for _, reason := range blockReasons {
		s.put(metricBlocked, p.counts.blocked[reason].Load(), reason)
	}
	for _, why := range target.FailoverCauses() {
		s.put(metricFailovers, p.counts.failovers.Count(why), why.String())
	}
	s.out <- p.counts.duration.metric(metricDuration, s.pool)
	s.out <- p.counts.dials.metric(metricDialDuration, s.pool)
	p.collectStore(s)
	live, idle := p.collectTargets(s)
	s.put(metricSessions, int64(live), "live")
	s.put(metricSessions, int64(idle), "idle")
}

func (p *pool) collectStore(s *scrape) {
	for _, r := range share.LookupResults() {
		s.put(metricStoreLookups, p.counts.store.Lookups[r].Load(), r.String())
	}
	s.put(metricStoreUpdates, p.counts.store.Updates.Load())
	s.put(metricStoreErrors, p.counts.store.Errors.Load())
	up := int64(0)
	if sharing := p.sharing.Load(); sharing != nil && sharing.Working() {
		up = 1
	}
	s.put(metricStoreUp, up)
}

// collectTargets takes the metrics of the targets, and returns how many sessions they have.
func (p *pool) collectTargets(s *scrape) (live, idle int) {
	seen := make(map[string]bool)
	collect := func(name target.Address, t *target.Target, state target.State) {
		moreLive, moreIdle := t.Sessions.Count()
		live, idle = live+moreLive, idle+moreIdle
		if upstream := labelValue(name.String()); !seen[upstream] { // two that are spelled alike would be refused, and all others with them
			seen[upstream] = true
			s.collectTarget(upstream, t, state)
		}
	}
	var current *target.Set
	if c := p.applied.Load(); c != nil {
		current = c.targets
		for _, m := range current.Members() {
			collect(m.Config.Address, m.Target, m.Condition().State)
		}
	}
	for _, t := range p.registry.Removed(current) {
		collect(t.Address, t, target.Removed)
	}
	return live, idle
}

func (s *scrape) collectTarget(upstream string, t *target.Target, state target.State) {
	s.put(metricUpstreamConns, int64(t.Connections()), upstream)
	live, idle := t.Sessions.Count()
	s.put(metricUpstreamSess, int64(live), upstream, "live")
	s.put(metricUpstreamSess, int64(idle), upstream, "idle")
	s.put(metricBytes, t.Bytes.Bytes(flow.Client), upstream, "up")
	s.put(metricBytes, t.Bytes.Bytes(flow.Target), upstream, "down")
	for _, r := range target.DialResults() {
		s.put(metricDials, t.Dials.Count(r), upstream, r.String())
	}
	for _, why := range target.DeactivationCauses() {
		s.put(metricDeactivations, t.Deactivations.Count(why), upstream, why.String())
	}
	for _, one := range target.States() {
		has := int64(0)
		if one == state {
			has = 1
		}
		s.put(metricUpstreamState, has, upstream, string(one))
	}
}

var _ prometheus.Collector = poolMetrics{}
