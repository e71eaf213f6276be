package l4sticky

import (
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/names"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/upstreams"
)

// sourceKey is where the JSON of `dynamic_upstreams` has the name of its source.
const sourceKey = "source"

// A dynamicSource is where a config has upstreams from that it does not list.
type dynamicSource struct {
	upstreams.Source
	name string // of the module
	key  string // the same for sources of the same kind with the same options
}

// readDynamic reads the option `dynamic`, at whose name the dispenser stands.
func (h *Handler) readDynamic(d *caddyfile.Dispenser) error {
	const option = "sticky_proxy: option 'dynamic'"
	if h.DynamicUpstreamsRaw != nil {
		return d.Err(option + " is given twice")
	}
	module, err := parse.ReadGuest(d, option, upstreams.Namespace, sourceKey)
	h.DynamicUpstreamsRaw = module
	return err
}

// loadDynamic returns the handler's source of upstreams, or nil if it has none.
func (h *Handler) loadDynamic(ctx caddy.Context) (*dynamicSource, error) {
	planned, err := h.plannedDynamic()
	if err != nil || planned == nil {
		return nil, err
	}
	module, err := ctx.LoadModule(h, "DynamicUpstreamsRaw")
	if err != nil {
		return nil, fmt.Errorf("dynamic_upstreams: %w", err)
	}
	source, ok := module.(upstreams.Source)
	if !ok {
		return nil, fmt.Errorf("dynamic_upstreams: %T is no source of upstreams", module)
	}
	return &dynamicSource{source, module.(caddy.Module).CaddyModule().ID.Name(), planned.key}, nil
}

// plannedDynamic is loadDynamic for a handler that is not provisioned: there is a key alone.
func (h *Handler) plannedDynamic() (*dynamicSource, error) {
	if h.DynamicUpstreamsRaw == nil {
		return nil, nil
	}
	if target.PlacementNamed(h.Placement).Duplicates {
		return nil, fmt.Errorf("dynamic_upstreams: placement %s takes the upstreams that a config lists only, since their order counts", h.Placement)
	}
	if err := parse.CheckGuest(h.DynamicUpstreamsRaw, sourceKey); err != nil {
		return nil, fmt.Errorf("dynamic_upstreams: %w", err)
	}
	return &dynamicSource{key: parse.Canonical(h.DynamicUpstreamsRaw)}, nil
}

// times returns the times of a config's look-ups that belong to its source.
func (s *dynamicSource) times(handlers names.Times) names.Times {
	if handlers.Interval <= 0 {
		handlers.Interval = defaultResolveInterval
	}
	if interval := s.Interval(); interval != 0 {
		handlers.Interval = max(interval, names.MinPause)
	}
	return handlers
}

// keyOf returns the key of a source, which may be nil.
func keyOf(s *dynamicSource) string {
	if s == nil {
		return ""
	}
	return s.key
}
