package target

// A Mode is what is wanted of a target, whatever its health. The greater of two is the stricter one.
type Mode uint8

const (
	// Serve means that the target serves as its config and its health let it.
	Serve Mode = iota
	// Drain means that no new client is placed at the target. Clients that have a session there stay.
	Drain
	// Maintenance means that the target gets no connections at all: sessions move with their next one. Those that are open
	// go on.
	Maintenance
)

// A Control is what is set for a target while the process runs, beside its config. The zero value sets nothing.
type Control struct {
	Mode Mode
	// Reason tells why the mode was set.
	Reason string
	// Weight replaces the weight of the config, up to MaxWeight, if it is not nil.
	Weight *int
	// Percent is what share of the weight counts, if it is not nil and Weight is not set by another Controller. It may be above 100.
	Percent *int
	// MaxConnections replaces the limit of the config, if it is not nil; 0 means that there is none.
	MaxConnections *int
}

// A Controller is who sets a Control. The Operator's settings go before the Agent's, but for the mode, of which the stricter one counts.
type Controller int

const (
	// Operator is a person or a program that operates the balancer.
	Operator Controller = iota
	// Agent is a program beside the target, which reports how much the target can take.
	Agent

	controllers
)

// controls are what the controllers of a target have set. It never changes.
type controls [controllers]Control

// mode returns the strictest mode that is set.
func (c *controls) mode() Mode { return max(c[Operator].Mode, c[Agent].Mode) }

// weight returns the weight of a target whose config has the given one.
func (c *controls) weight(configured int) int {
	if w := c[Operator].Weight; w != nil {
		return *w
	}
	if w := c[Agent].Weight; w != nil {
		configured = *w
	}
	if p := c[Agent].Percent; p != nil {
		configured = min((configured**p+99)/100, MaxWeight)
	}
	return configured
}

// maxConnections returns the limit of a target whose config has the given one.
func (c *controls) maxConnections(configured int) int {
	for _, by := range c {
		if by.MaxConnections != nil {
			return *by.MaxConnections
		}
	}
	return configured
}

// Control returns what a controller has set for the target.
func (t *Target) Control(by Controller) Control { return t.controls.Load()[by] }

// Mode returns what is wanted of the target while the process runs, whatever its config says.
func (t *Target) Mode() Mode { return t.controls.Load().mode() }

// Control sets what a controller wants of a target, in place of what it wanted before. It holds for all sets, also for
// those to come, until it is replaced by the zero value. A target that leaves a stricter mode for Serve has returned.
func (r *Registry) Control(t *Target, by Controller, c Control) {
	r.setControl(t, by, c)
	t.admit() // the limit may be higher now
	r.Wake()  // it may take others, or none any more
}

func (r *Registry) setControl(t *Target, by Controller, c Control) {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := *t.controls.Load()
	before := next.mode()
	next[by] = c
	t.controls.Store(&next)
	t.noteMode(before, &next)
	if next.mode() == Serve && before != Serve {
		t.returned.Store(int64(t.now()))
	}
	for s := range r.sets {
		s.unsyncedRefresh()
	}
}

// noteMode notes since when and why the target has its mode.
func (t *Target) noteMode(before Mode, next *controls) {
	t.mu.Lock()
	defer t.mu.Unlock()
	mode := next.mode()
	if mode != before {
		t.modeSince = t.now()
	}
	for _, by := range next {
		if by.Mode == mode {
			t.modeReason = by.Reason
			return
		}
	}
}

// noControls are those of a target for which nothing is set.
var noControls controls
