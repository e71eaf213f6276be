package l4sticky

import (
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/pooltargets"
)

// Other packages reach the targets without importing this one.
func TestTargets(t *testing.T) {
	targets := pooltargets.Get()
	old := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1", "[::1]:2")
	must := func(address string, want bool) {
		t.Helper()
		if got, err := targets.IsActive(t.Name(), address); got != want || err != nil {
			t.Errorf("%s is active: %v, want %v (%v)", address, got, want, err)
		}
	}
	must("A:1", true)
	must("[0::1]:2", true)
	must("c:3", false)
	for range 2 { // the second time it is inactive
		if err := targets.Deactivate(t.Name(), "[::1]:2"); err != nil {
			t.Error(err)
		}
		must("[::1]:2", false)
	}
	must("a:1", true)
	for address, want := range map[string]string{
		"c:3": "the pool '" + t.Name() + "' has no target c:3",
		"c:0": "upstream c:0: a port from 1 to 65535 is missing",
	} {
		if err := targets.Deactivate(t.Name(), address); err == nil || err.Error() != want {
			t.Errorf("%v, want %q", err, want)
		}
	}

	// The newest config is the one that counts, and the health is the same in all.
	next := joinAs(t, newConfig(t), t.Name(), time.Minute, "c:3", "[::1]:2")
	must("c:3", true)
	must("[::1]:2", false)
	must("a:1", false)
	next.quit()
	must("a:1", true)
	old.quit()
	if _, err := targets.IsActive(t.Name(), "a:1"); err == nil || err.Error() != "there is no pool '"+t.Name()+"'" {
		t.Errorf("%v for a pool that is gone", err)
	}
}
