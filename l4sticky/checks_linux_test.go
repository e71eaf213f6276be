package l4sticky

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// checkQuickly has the targets of a pool checked all the time, and returns the log.
func checkQuickly(t *testing.T, v *poolConfig, check *HealthCheck) *observer.ObservedLogs {
	t.Helper()
	core, log := observer.New(zapcore.InfoLevel)
	v.logger = zap.New(core)
	check.Interval = caddy.Duration(100 * time.Millisecond)
	check.Timeout = caddy.Duration(10 * time.Second)
	h := newHandler(t, v)
	h.HealthCheck = check
	if err := h.setDefaults(); err != nil {
		t.Fatal(err)
	}
	h.dialer.logger = v.logger
	if err := v.checkTargets(h); err != nil {
		t.Fatal(err)
	}
	return log
}

// awaitLine waits until the log has so many lines with a message.
func awaitLine(t *testing.T, log *observer.ObservedLogs, message string, times int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); log.FilterMessage(message).Len() < times; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log has %d lines %q", log.FilterMessage(message).Len(), message)
		}
	}
}

// A check that panics counts as none, and is followed by the next one.
func TestPanicInHealthCheck(t *testing.T) {
	address, stop := echo(t)
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, address)
	defer v.quit()
	panicked := safelytest.InjectOnce(t, "health check")
	log := checkQuickly(t, v, &HealthCheck{Type: checkTCP, Fall: 1})
	safelytest.AwaitPanic(t, panicked)
	if !v.targets.Members()[0].Active() {
		t.Error("the target is held responsible")
	}
	stop()
	awaitLine(t, log, "upstream check failed", 1)
}

// Checks that pass do not bring back a target that a script has deactivated, and do so for one whose dial failed.
func TestChecksKnowTheirPlace(t *testing.T) {
	asked, _ := echo(t)
	failed, _ := echo(t)
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, asked, failed)
	defer v.quit()
	members := v.targets.Members()
	log := checkQuickly(t, v, &HealthCheck{Type: checkTCP})
	if err := (poolTargets{}).Deactivate(t.Name(), asked); err != nil {
		t.Fatal(err)
	}
	for round := 1; round <= 3; round++ {
		for _, m := range members {
			if m.Address.Dial == failed {
				v.deactivate(m, errNoTarget)
			}
		}
		awaitLine(t, log, "upstream accepts again", round)
	}
	for _, line := range log.FilterMessage("upstream accepts again").All() {
		if line.ContextMap()["upstream"] != failed || line.ContextMap()["reason"] != "its checks pass" {
			t.Errorf("%v", line.ContextMap())
		}
	}
	for _, m := range members {
		if m.Active() != (m.Address.Dial == failed) {
			t.Errorf("%s is active: %v", m.Address, m.Active())
		}
	}
}

// The checks are those of the config that counts, and end with the last one that has the pool.
func TestChecksFollowConfigs(t *testing.T) {
	a, _ := echo(t)
	b, _ := echo(t)
	old := joinAs(t, newConfig(t), t.Name(), time.Minute, a)
	checkQuickly(t, old, &HealthCheck{Type: checkTCP})
	checked := func() (all []string) {
		old.mu.Lock()
		defer old.mu.Unlock()
		for checked := range old.checks {
			all = append(all, checked.Address.Dial)
		}
		return all
	}
	must := func(when string, want ...string) {
		t.Helper()
		if got := checked(); strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("%s %v are checked, want %v", when, got, want)
		}
	}
	must("at first", a)
	kept := old.checks[task{old.targets.Members()[0].Target, false}]
	refused := joinAs(t, newConfig(t), t.Name(), time.Minute, b)
	checkQuickly(t, refused, &HealthCheck{Type: checkTCP})
	must("before a config runs", a)
	refused.quit()
	must("after it was refused", a)
	next := joinAs(t, newConfig(t), t.Name(), time.Minute, a, b)
	checkQuickly(t, next, &HealthCheck{Type: checkTCP, Fall: 7})
	old.quit()
	if got := checked(); len(got) != 2 || old.checks[kept.task] != kept || next.targets.Member(kept.Target) == nil {
		t.Errorf("%v are checked after a reload, or by another loop than before", got)
	}
	without := joinAs(t, newConfig(t), t.Name(), time.Minute, a)
	next.targets.Members()[0].Checked(false, 0, next.checking.rules())
	next.quit()
	must("without checks")
	if m := without.targets.Members()[0]; !m.Active() {
		t.Error("a target is down though it is not checked")
	}
	without.quit()
	must("without a config")
}

// While all targets are down, connections do not wait for each other, stay at the client's target, and go on to the next one when
// it refuses. A target that is active again gets them all.
func TestDialsWhileAllAreDown(t *testing.T) {
	h, home, other := newBalancer(t, mustListen(t), mustListen(t))
	rules := target.Rules{Rise: 1, Fall: 1}
	home.Checked(false, 0, rules)
	other.Checked(false, 0, rules)
	var pickers []*picker
	for range 3 {
		p := h.newPicker(&net.TCPAddr{IP: visitor.AsSlice(), Port: 1}, nil)
		pickers = append(pickers, p)
		if d, step := p.Next(new(wakeCount)); step != search.DialTarget || d.Probe || d.Target != home {
			t.Fatalf("step %v, probe %v, of %v", step, d.Probe, d.Target)
		}
	}
	for _, p := range pickers {
		_ = p.Failed(search.Dial{Target: home}, errNoTarget)
		if d, step := p.Next(new(wakeCount)); step != search.DialTarget || d.Probe || d.Target != other {
			t.Fatalf("after a failed dial: step %v, probe %v, of %v", step, d.Probe, d.Target)
		}
		p.Dropped(search.Dial{Target: other})
		p.Lost(search.ErrClientLeft)
	}
	if !home.Deactivated() || other.Deactivated() {
		t.Error("the failed dial does not deactivate the target that is down")
	}
	home.Activate()
	for range 2 {
		if _, at := connectVisitor(t, h); at == nil || !at.Is(other) {
			t.Errorf("the client is at %v", at)
		}
	}
	home.Checked(true, monotonic(), rules)
	if _, at := connectVisitor(t, h); at == nil || !at.Is(home) {
		t.Errorf("the client is at %v, which is down", at)
	}
}
