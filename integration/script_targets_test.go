package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A script looks at targets and takes one out, as on LoadBalancer.js.
func TestScriptDeactivatesTarget(t *testing.T) {
	t.Parallel()
	targets := greeters(t, 2)
	script := filepath.Join(t.TempDir(), "balancer.js")
	text := fmt.Sprintf(`
		const targets = [%d, %d].map((port) => ['127.0.0.1', port]);
		module.exports.run = (balancer) => balancer.addMiddleware(balancer.MIDDLEWARE_CONNECTION, (socket, next) => {
			const victim = /127\.0\.0\.10(.)$/.exec(socket.remoteAddress);
			if (victim) {
				balancer.deactivateTarget(...targets[victim[1]]);
				return next('active ' + targets.map((target) => balancer.isTargetActive(...target)) + ' ' + balancer.isTargetActive('other', 1));
			}
			next();
		});`, portOf(targets[0].addr), portOf(targets[1].addr))
	if err := os.WriteFile(script, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	legacy := startLegacy(t, script, targets...)
	ours, listen := startScripted(t, script, targets...)

	// By its placement these clients have the same target of two.
	home := who(t, "127.0.0.2", listen)
	if on := who(t, "127.0.0.2", legacy.addr); on != home {
		t.Fatalf("placed on %s, and by LoadBalancer.js on %s", home, on)
	}
	victim := slices.IndexFunc(targets, func(target *target) bool { return target.name == home })
	reason := []string{"active false,true false", "active true,false false"}[victim]
	saboteur := fmt.Sprintf("127.0.0.10%d", victim)
	mustEndLike(t, "LoadBalancer.js", saboteur, legacy.addr, closed)
	mustEndLike(t, "ours", saboteur, listen, closed)
	if got := legacy.notices(t, 1); !slices.Equal(got, []string{reason}) {
		t.Errorf("LoadBalancer.js noticed %q, want %q", got, reason)
	}
	if got := reasonsOf(ours.Log(), []string{reason}); len(got) != 1 {
		t.Errorf("the log does not say %q", reason)
	}
	if !strings.Contains(ours.Log(), `"reason":"deactivated on request"`) {
		t.Error("the log does not say that the target was deactivated")
	}
	ours.mustCount(t, 1, `deactivations_total{pool="default",reason="request",upstream=%q}`, targets[victim].addr)
	other := targets[1-victim].name
	for _, addr := range []string{listen, legacy.addr} {
		if on := who(t, "127.0.0.4", addr); on != other {
			t.Errorf("a new client is on %s, want %s", on, other)
		}
	}
	if on := who(t, "127.0.0.2", listen); on != other {
		t.Errorf("the client of the target is on %s, want %s", on, other)
	}
}
