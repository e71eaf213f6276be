package l4sticky

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// Collectors live as long as the process: each config has a registry of its own, in which they go on counting.
var (
	blocked = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy_sticky",
		Subsystem: "proxy",
		Name:      "blocked_total",
		Help:      "Connections that were over a limit: max_connections, max_connections_per_client, or that of all upstreams (upstreams_full).",
	}, []string{"pool", "limit"})
	panics = prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "caddy_sticky",
		Name:      "panics_total",
		Help:      "Panics, each of which has ended one connection at most and is logged with its stack.",
	}, func() float64 { return float64(safely.Panics()) })
)

// registerMetrics adds the collectors to the registry of a config, where another module has not done so.
func registerMetrics(config *prometheus.Registry) {
	_ = config.Register(blocked)
	_ = config.Register(panics)
}
