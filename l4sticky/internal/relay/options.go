package relay

import (
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/connect"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// Options bound a connection.
type Options struct {
	connect.Options
	flow.Limits
}
