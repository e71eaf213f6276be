package l4sticky

import "github.com/prometheus/client_golang/prometheus"

// blocked lives as long as the process: each config has a registry of its own, in which it goes on counting.
var blocked = prometheus.NewCounterVec(prometheus.CounterOpts{
	Namespace: "caddy_sticky",
	Subsystem: "proxy",
	Name:      "blocked_total",
	Help:      "Connections that were over a limit: max_connections or max_connections_per_client.",
}, []string{"pool", "limit"})
