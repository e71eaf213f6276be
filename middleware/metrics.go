package middleware

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Collectors live as long as the process: each config has a registry of its own, in which they go on counting.
var blocked = prometheus.NewCounterVec(prometheus.CounterOpts{
	Namespace: "caddy_sticky",
	Subsystem: "middleware",
	Name:      "blocked_total",
	Help:      "Connections that a middleware has kept out.",
}, []string{"middleware"})

// registerMetrics adds the collectors to the registry of a config, in which another matcher may have put
// them already.
func registerMetrics(registry *prometheus.Registry) error {
	var known prometheus.AlreadyRegisteredError
	if err := registry.Register(blocked); err != nil && !errors.As(err, &known) {
		return err
	}
	return nil
}
