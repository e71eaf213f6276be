package l4sticky

import (
	"encoding/json"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A sharedOverride is what an operator has set for a target, as nodes tell each other.
type sharedOverride struct {
	adminapi.Override
	// Began is when the deadline was set, in milliseconds of Unix time.
	Began int64 `json:"began,omitempty"`
}

// overrideText returns what an operator has set for a target, as nodes tell each other, or nothing if nothing is set.
func (p *pool) overrideText(t *target.Target) string {
	o := p.override(t)
	if o == nil {
		return ""
	}
	return encodeOverride(sharedOverride{*o, p.drainBegan(t)})
}

func encodeOverride(o sharedOverride) string {
	if o.State == "" {
		o.State = stateActive
	}
	text, _ := json.Marshal(o)
	return string(text)
}

// drainBegan returns when the deadline of a target's drain was set, or 0 if there is none.
func (p *pool) drainBegan(t *target.Target) int64 {
	terms := p.drainTerms(t)
	if terms.deadline == nil {
		return 0
	}
	return wallTime(terms.began).UnixMilli()
}

// unsyncedShareOverride has the other nodes know what an operator has set for a target here. The caller operates.
func (p *pool) unsyncedShareOverride(t *target.Target) {
	s := p.sharing.Load()
	if s == nil {
		return
	}
	text := p.overrideText(t)
	if text == "" {
		text = encodeOverride(sharedOverride{})
	}
	p.unsyncedHeard(t, text)
	s.Set(t.Address.String(), text)
}

// unsyncedHeard notes what was set last for a target. The caller operates.
func (p *pool) unsyncedHeard(t *target.Target, text string) {
	if p.heard == nil {
		p.heard = make(map[*target.Target]string)
	}
	c := p.applied.Load()
	maps.DeleteFunc(p.heard, func(other *target.Target, _ string) bool { return c == nil || c.targets.Member(other) == nil })
	p.heard[t] = text
}

// Setting does what an operator has set for a target at another node. It may be called with the same again and again.
func (l localSessions) Setting(address, text string, within time.Duration) {
	c := l.applied.Load()
	t := l.targetNamed(address)
	if t == nil || c == nil {
		return
	}
	m := c.targets.Member(t)
	if m == nil || !l.hear(t, text, within) {
		return
	}
	status := c.upstreamStatus(m)
	c.tellOf(m, upstreamSet, zap.String("state", status.State), zap.Int("weight", status.Weight), zap.Int("max_connections", status.MaxConnections))
}

// hear does what another node has told of a target within a time, or some time ago if that is 0, and reports whether that was new.
func (p *pool) hear(t *target.Target, text string, within time.Duration) bool {
	p.operating.Lock()
	defer p.operating.Unlock()
	if p.heard[t] == text {
		return false
	}
	p.unsyncedHeard(t, text)
	var o sharedOverride
	if err := json.Unmarshal([]byte(text), &o); err != nil || checkOverride(o.Override) != nil {
		return false
	}
	if text == p.overrideText(t) || p.override(t) == nil && (o.Override == adminapi.Override{State: stateActive}) {
		return false
	}
	p.endDrain(t) // that was set before
	return p.unsyncedOverride(t, target.Control{}, o.Override, o.beganWithin(within)) == nil
}

// beganWithin returns when the deadline was set, by the clock of this node. What was told within a time did not begin before that: the clock of
// the node that has set it may be wrong.
func (o *sharedOverride) beganWithin(within time.Duration) time.Duration {
	if o.Began <= 0 {
		return monotonic()
	}
	ago := max(0, time.Since(time.UnixMilli(o.Began)))
	if within > 0 {
		ago = min(ago, within)
	}
	return monotonic() - ago
}
