package middleware

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// Collectors live as long as the process: each config has a registry of its own, in which they go on counting.
var (
	blocked = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy_sticky",
		Subsystem: "middleware",
		Name:      "blocked_total",
		Help:      "Connections that a middleware has kept out.",
	}, []string{"middleware"})
	answers = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "caddy_sticky",
		Subsystem: "authorize",
		Name:      "answers_total",
		Help:      "What services have answered when they were asked about a client: allow, deny or error.",
	}, []string{"answer"})
	panics = prometheus.NewCounterFunc(prometheus.CounterOpts{
		Namespace: "caddy_sticky",
		Name:      "panics_total",
		Help:      "Panics, each of which has ended one connection at most and is logged with its stack.",
	}, func() float64 { return float64(safely.Panics()) })
)

func init() {
	for _, answer := range []string{"allow", "deny", "error"} {
		answers.WithLabelValues(answer) // is there from the start
	}
}

// registerMetrics adds collectors to the registry of a config, in which another module may have put them already.
func registerMetrics(registry *prometheus.Registry, collectors ...prometheus.Collector) error {
	for _, collector := range append(collectors, panics) {
		var known prometheus.AlreadyRegisteredError
		if err := registry.Register(collector); err != nil && !errors.As(err, &known) {
			return err
		}
	}
	return nil
}
