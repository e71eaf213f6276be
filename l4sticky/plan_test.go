package l4sticky

import (
	"slices"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// TestPlanOfOrder plans other orders and numbers of the same upstreams, which count with placement legacy.
func TestPlanOfOrder(t *testing.T) {
	a := target.Config{Address: target.Address{Network: "tcp", Dial: "127.0.0.1:1"}, Weight: 1}
	b := target.Config{Address: target.Address{Network: "tcp", Dial: "127.0.0.1:2"}, Weight: 1}
	for _, test := range []struct {
		placement *target.Placement
		wanted    []target.Config
		changes   bool
	}{
		{target.Legacy, []target.Config{a, b}, false},
		{target.Legacy, []target.Config{b, a}, true},
		{target.Legacy, []target.Config{a, b, b}, true},
		{target.Rendezvous, []target.Config{b, a}, false},
	} {
		options := Options{Placement: test.placement.Name}
		c := joinUpstreams(t, options, a, b)
		if err := options.setDefaults(); err != nil {
			t.Fatal(err)
		}
		options.Pool = c.name
		wanted, err := newSettings(options, test.wanted, nil)
		if err != nil {
			t.Fatal(err)
		}
		plan := planPool(c.name, c, &wanted)
		if (plan.Change == planChanged) != test.changes || slices.Contains(plan.Options, "upstreams") != test.changes {
			t.Errorf("%s with %s: %s %v", test.placement.Name, describe(test.wanted), plan.Change, plan.Options)
		}
	}
}

// TestPlanWithoutListedUpstreams plans other options of a pool whose upstreams all come from a source.
func TestPlanWithoutListedUpstreams(t *testing.T) {
	var options Options
	if err := options.setDefaults(); err != nil {
		t.Fatal(err)
	}
	from := func(key string) settings { return settings{options: options, dynamic: &dynamicSource{key: key}} }
	running, same, other := &poolConfig{settings: from("a")}, from("a"), from("b")
	if plan := planPool("p", running, &other); plan.Change != planChanged {
		t.Errorf("the plan is %+v", plan)
	}
	if plan := planPool("p", running, &same); plan.Change != planUnchanged {
		t.Errorf("the plan is %+v", plan)
	}
}
