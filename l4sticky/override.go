package l4sticky

import (
	"fmt"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// The states that an operator may set.
const (
	stateActive      = "active"
	stateDrain       = "drain"
	stateMaintenance = "maintenance"
)

var modes = map[string]target.Mode{"": target.Serve, stateActive: target.Serve, stateDrain: target.Drain, stateMaintenance: target.Maintenance}

// byOperator is the reason of a mode that an operator has set.
const byOperator = "set by an operator"

// override returns what an operator has set for a target, or nil.
func (p *pool) override(t *target.Target) *adminapi.Override {
	c := t.Control(target.Operator)
	if c == (target.Control{}) {
		return nil
	}
	o := &adminapi.Override{Weight: c.Weight, MaxConnections: c.MaxConnections}
	switch c.Mode {
	case target.Drain:
		o.State = stateDrain
	case target.Maintenance:
		o.State = stateMaintenance
	}
	terms := p.drainTerms(t)
	o.Deadline, o.Rate = terms.deadline, terms.rate
	return o
}

// checkOverride returns an error that names what is wrong with what an operator wants.
func checkOverride(o adminapi.Override) error {
	_, known := modes[o.State]
	switch {
	case !known:
		return fmt.Errorf("state: '%s' is not one of active, drain, maintenance", o.State)
	case o.Weight != nil && (*o.Weight < 0 || *o.Weight > target.MaxWeight):
		return fmt.Errorf("weight: %d is not from 0 to %d", *o.Weight, target.MaxWeight)
	case o.MaxConnections != nil && *o.MaxConnections < 0:
		return fmt.Errorf("max_connections: %d is negative", *o.MaxConnections)
	case o.Deadline != nil && *o.Deadline < 0:
		return fmt.Errorf("deadline: %v is negative", time.Duration(*o.Deadline))
	case o.Rate != nil && *o.Rate <= 0:
		return fmt.Errorf("rate: %v is not above zero", *o.Rate)
	}
	return nil
}

// setOverride sets what is not empty of what an operator wants of a target. State active ends all that was set before.
func (p *pool) setOverride(t *target.Target, o adminapi.Override) error {
	p.operating.Lock()
	defer p.operating.Unlock()
	err := p.unsyncedOverride(t, t.Control(target.Operator), o, monotonic())
	if err == nil {
		p.unsyncedShareOverride(t)
	}
	return err
}

// unsyncedOverride is setOverride for a deadline that began at some time, and for this node alone; c is what was set before. The caller operates.
func (p *pool) unsyncedOverride(t *target.Target, c target.Control, o adminapi.Override, began time.Duration) error {
	if o.State != "" {
		c.Mode = modes[o.State]
		c.Reason = byOperator
	}
	if o.State == stateActive {
		c = target.Control{}
	}
	if (o.Deadline != nil || o.Rate != nil) && c.Mode == target.Serve {
		return fmt.Errorf("deadline and rate are for the states drain and maintenance; this upstream is in neither")
	}
	if o.Weight != nil {
		c.Weight = o.Weight
	}
	if o.MaxConnections != nil {
		c.MaxConnections = o.MaxConnections
	}
	p.registry.Control(t, target.Operator, c)
	if c.Mode == target.Serve {
		p.endDrain(t)
	} else {
		p.setDrain(t, o.Deadline, o.Rate, began)
	}
	p.watchDrains()
	p.watchSlowStarts()
	return nil
}
