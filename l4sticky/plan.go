package l4sticky

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/mholt/caddy-l4/modules/l4proxy"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// What a reload does to a pool or an upstream.
const (
	planAdded     = "added"
	planRemoved   = "removed"
	planChanged   = "changed"
	planUnchanged = "unchanged"
)

// postPlan tells what a reload with the config in the body would do. It provisions nothing.
func postPlan(r *adminRequest) (any, error) {
	config, warnings, err := r.config()
	if err != nil {
		return nil, err
	}
	wanted, err := plannedPools(config)
	if err != nil {
		return nil, badRequest(err)
	}
	plan := adminapi.Plan{Pools: []adminapi.PoolPlan{}, Warnings: warnings}
	running := make(map[string]*poolConfig)
	names := slices.Collect(maps.Keys(wanted))
	for _, c := range appliedConfigs() {
		running[c.name] = c
		names = append(names, c.name)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		plan.Pools = append(plan.Pools, planPool(name, running[name], wanted[name]))
	}
	return plan, nil
}

// maxConfig is the size of the largest config that is read.
const maxConfig = 64 << 20

// config returns the config in the body of a request as JSON, and what its adapter has to say.
func (r *adminRequest) config() (config []byte, warnings []string, err error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxConfig))
	if err != nil {
		return nil, nil, badRequest(fmt.Errorf("the body: %w", err))
	}
	kind := r.Header.Get("Content-Type")
	media, _, err := mime.ParseMediaType(kind)
	if err != nil && kind != "" {
		return nil, nil, apiError(http.StatusBadRequest, "Content-Type: '%s': %w", kind, err)
	}
	_, subtype, _ := strings.Cut(media, "/")
	if subtype == "" || subtype == "json" {
		return body, nil, nil
	}
	adapter := caddyconfig.GetAdapter(subtype)
	if adapter == nil {
		return nil, nil, apiError(http.StatusBadRequest, "Content-Type: there is no adapter for '%s'", kind)
	}
	config, said, err := adapter.Adapt(body, nil)
	if err != nil {
		return nil, nil, badRequest(err)
	}
	for _, w := range said {
		warnings = append(warnings, w.String())
	}
	return config, warnings, nil
}

// plannedPools returns the pools that a config has.
func plannedPools(config []byte) (map[string]*settings, error) {
	var document any
	if err := json.Unmarshal(config, &document); err != nil {
		return nil, fmt.Errorf("the body: %w", err)
	}
	handlers, err := plannedHandlers(document)
	if err != nil {
		return nil, err
	}
	all, pools := namedGroups(handlers, nil), make(map[string]*settings)
	for _, s := range handlers {
		s.inGroup(all)
		first := pools[s.options.Pool]
		if first == nil {
			pools[s.options.Pool] = s
		} else if err := inPool(s.options.Pool, first.checkAgreement(*s)); err != nil {
			return nil, err
		}
	}
	return pools, nil
}

// plannedHandlers returns the settings of the handlers of a config that have pools, and the first error.
func plannedHandlers(document any) (all []*settings, first error) {
	eachHandler(document, func(handler map[string]any) {
		switch s, err := plannedSettings(handler); {
		case err != nil:
			first = cmp.Or(first, err)
		case s != nil:
			all = append(all, s)
		}
	})
	return all, first
}

// eachHandler calls do for all handlers in a piece of a config, in the order of their keys.
func eachHandler(value any, do func(map[string]any)) {
	switch v := value.(type) {
	case []any:
		for _, element := range v {
			eachHandler(element, do)
		}
	case map[string]any:
		if _, is := v["handler"].(string); is {
			do(v)
		}
		for _, key := range slices.Sorted(maps.Keys(v)) {
			eachHandler(v[key], do)
		}
	}
}

// plannedSettings returns what a handler has its pool be, or nil if it has none.
func plannedSettings(handler map[string]any) (*settings, error) {
	name := handler["handler"]
	delete(handler, "handler")
	raw, err := json.Marshal(handler)
	if err != nil {
		return nil, err
	}
	switch name {
	case "sticky_proxy":
		h := new(Handler)
		if err := h.UnmarshalJSON(raw); err != nil {
			return nil, fmt.Errorf("sticky_proxy: %w", err)
		}
		return h.planned()
	case "proxy":
		return plannedPolicy(raw)
	}
	return nil, nil
}

// planned returns the settings of a handler that is not provisioned.
func (h *Handler) planned() (*settings, error) {
	if err := h.setDefaults(); err != nil {
		return nil, fmt.Errorf("sticky_proxy: %w", err)
	}
	upstreams, err := h.upstreamConfigs()
	if err != nil {
		return nil, fmt.Errorf("sticky_proxy: %w", err)
	}
	dynamic, err := h.plannedDynamic()
	if err != nil {
		return nil, fmt.Errorf("sticky_proxy: %w", err)
	}
	s, err := newSettings(h.Options, upstreams, dynamic)
	return &s, err
}

// plannedPolicy returns the settings of a policy sticky_ip in a proxy handler, or nil if it has another one.
func plannedPolicy(raw []byte) (*settings, error) {
	var proxy struct {
		Upstreams     []*l4proxy.Upstream `json:"upstreams"`
		LoadBalancing struct {
			Selection json.RawMessage `json:"selection"`
		} `json:"load_balancing"`
	}
	var selection map[string]any
	if json.Unmarshal(raw, &proxy) != nil || json.Unmarshal(proxy.LoadBalancing.Selection, &selection) != nil || selection["policy"] != "sticky_ip" {
		return nil, nil
	}
	delete(selection, "policy")
	options, err := json.Marshal(selection)
	if err != nil {
		return nil, err
	}
	p := new(SelectionPolicy)
	if err := p.UnmarshalJSON(options); err != nil {
		return nil, fmt.Errorf("sticky_ip: %w", err)
	}
	if err := p.setDefaults(); err != nil {
		return nil, fmt.Errorf("sticky_ip: %w", err)
	}
	upstreams, err := proxyUpstreams(proxy.Upstreams)
	if err != nil {
		return nil, fmt.Errorf("sticky_ip: %w", err)
	}
	s, err := newSettings(p.Options, upstreams, nil)
	return &s, err
}

// planPool compares a pool of the running config with that of another one. One of both may be missing.
func planPool(name string, running *poolConfig, wanted *settings) adminapi.PoolPlan {
	plan := adminapi.PoolPlan{Pool: name, Upstreams: []adminapi.UpstreamPlan{}, Change: planUnchanged}
	before, after := make(map[target.Address]target.Config), make(map[target.Address]target.Config)
	if running != nil {
		for _, u := range running.settings.upstreams {
			before[u.Address] = u
		}
	} else {
		plan.Change = planAdded
	}
	if wanted != nil {
		for _, u := range wanted.upstreams {
			after[u.Address] = u
		}
	} else {
		plan.Change = planRemoved
	}
	if running != nil && wanted != nil {
		plan.Options = running.settings.options.table().Differences(wanted.options.table())
		if keyOf(running.settings.dynamic) != keyOf(wanted.dynamic) {
			plan.Options = append(plan.Options, "dynamic_upstreams")
		}
	}
	addresses := slices.Collect(maps.Keys(before))
	addresses = slices.AppendSeq(addresses, maps.Keys(after))
	slices.SortFunc(addresses, func(a, b target.Address) int { return strings.Compare(a.String(), b.String()) })
	for _, address := range slices.Compact(addresses) {
		plan.Upstreams = append(plan.Upstreams, planUpstream(running, address, before, after))
	}
	if plan.Change != planUnchanged {
		return plan
	}
	differs := slices.ContainsFunc(plan.Upstreams, func(u adminapi.UpstreamPlan) bool { return u.Change != planUnchanged })
	if !differs && !slices.Equal(running.settings.upstreams, wanted.upstreams) {
		plan.Options = append(plan.Options, "upstreams") // their order, or how often one comes
	}
	if differs || len(plan.Options) > 0 {
		plan.Change = planChanged
	}
	return plan
}

// planUpstream compares an upstream of the running config with that of another one.
func planUpstream(running *poolConfig, address target.Address, before, after map[target.Address]target.Config) adminapi.UpstreamPlan {
	u := adminapi.UpstreamPlan{Upstream: address.String(), Change: planUnchanged}
	old, was := before[address]
	next, is := after[address]
	switch {
	case !was:
		u.Change = planAdded
	case !is:
		u.Change = planRemoved
		for _, m := range running.targets.Members() {
			if upstreamOf(m) == address {
				live, idle := m.Sessions.Count()
				u.Sessions.Live += live
				u.Sessions.Idle += idle
				u.Connections += m.Connections()
			}
		}
	case old != next:
		u.Change, u.Options = planChanged, old.Differences(next)
	}
	return u
}
