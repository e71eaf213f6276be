package target

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// checkedAt returns a target and its clock.
func checkedAt() (*Target, *atomic.Int64) {
	now := new(atomic.Int64)
	now.Store(int64(time.Hour))
	return newTarget(Address{"tcp", "10.0.0.1:80"}, func() time.Duration { return time.Duration(now.Load()) }), now
}

// Every order of twelve results does what the rules say in plain words.
func TestCheckedInEveryOrder(t *testing.T) {
	const results = 12
	for rise := 1; rise <= 3; rise++ {
		for fall := 1; fall <= 3; fall++ {
			for order := range 1 << results {
				target, now := checkedAt()
				history := ""
				for i := range results {
					passed := order>>i&1 == 1
					before := target.Down()
					history += map[bool]string{true: "p", false: "f"}[passed]
					c := target.Checked(passed, time.Duration(now.Load()), Rules{Rise: rise, Fall: fall})
					down := isDown(history, rise, fall)
					if target.Down() != down || target.Active() == down || c.Fell != (down && !before) || c.Rose != (before && !down) {
						t.Fatalf("rise %d, fall %d, %s: down %v, %+v", rise, fall, history, target.Down(), c)
					}
				}
			}
		}
	}
}

// isDown tells whether a target is down after a history of checks: which of both came last, enough that failed in a row or enough
// that passed. A first one that failed is enough.
func isDown(history string, rise, fall int) bool {
	down := history[0] == 'f'
	for end := 1; end <= len(history); end++ {
		if endsIn(history[:end], 'f', fall) {
			down = true
		}
		if endsIn(history[:end], 'p', rise) {
			down = false
		}
	}
	return down
}

func endsIn(history string, result byte, times int) bool {
	for i := range times {
		if len(history) <= i || history[len(history)-1-i] != result {
			return false
		}
	}
	return true
}

// Checks end a deactivation before its time as soon as enough of them have passed since, unless somebody knows better.
func TestChecksEndDeactivation(t *testing.T) {
	rules := Rules{Rise: 2, Fall: 2}
	serving := rules
	serving.Serves = true
	for _, c := range []struct {
		name       string
		deactivate func(*Target, time.Duration) bool
		rules      Rules
		sends      bool
		ends       bool
	}{
		{"failed dial", (*Target).Deactivate, rules, false, true},
		{"on request", (*Target).DeactivateAsked, serving, true, false},
		{"serves nobody, accepts", (*Target).DeactivateMute, rules, false, false},
		{"serves nobody, has sent something", (*Target).DeactivateMute, rules, true, true},
		{"serves nobody, serves the check", (*Target).DeactivateMute, serving, false, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			target, now := checkedAt()
			pass := func() Change { return target.Checked(true, time.Duration(now.Load()), c.rules) }
			for range 5 {
				pass()
			}
			before := time.Duration(now.Load())
			now.Add(1)
			c.deactivate(target, time.Minute)
			if c.sends {
				target.Bytes.Add(flow.Target, 1)
			}
			for range 5 {
				if change := target.Checked(true, before, c.rules); change != (Change{}) || target.Active() {
					t.Fatalf("a check from before the deactivation ends it: %+v", change)
				}
			}
			now.Add(int64(time.Second))
			if first := pass(); first != (Change{}) || target.Active() {
				t.Errorf("one check of two ends it: %+v", first)
			}
			want := Change{}
			if c.ends {
				want = Change{Activated: true, DeactivatedFor: time.Second}
			}
			if second := pass(); second != want || target.Active() != c.ends || pass() != (Change{}) {
				t.Errorf("%+v, want %+v; active %v", second, want, target.Active())
			}
			if now.Add(int64(time.Minute)); !target.Active() {
				t.Error("it is not active though the time is over")
			}
		})
	}
}

// A target can be down and deactivated; a deactivation ends by itself, and what is down stays so until checks pass.
func TestDownAndDeactivated(t *testing.T) {
	target, now := checkedAt()
	rules := Rules{Rise: 1, Fall: 1}
	check := func(passed bool) Change { return target.Checked(passed, time.Duration(now.Load()), rules) }
	if !check(false).Fell || check(false).Fell || target.Deactivated() {
		t.Error("the target is not down, or twice")
	}
	now.Add(int64(time.Second))
	if !target.Deactivate(time.Minute) || target.Deactivate(time.Minute) || !target.Deactivated() {
		t.Error("a target that is down can't be deactivated")
	}
	if _, was := target.Activate(); !was || target.Active() || target.Deactivated() {
		t.Error("that it accepts does not end the deactivation, or brings it up")
	}
	target.DeactivateAsked(time.Minute)
	now.Add(int64(time.Second))
	if c := check(true); c != (Change{Rose: true, DownFor: 2 * time.Second}) || target.Active() {
		t.Errorf("it has come up: %+v", c)
	}
	now.Add(int64(time.Minute))
	if c := check(true); c != (Change{Activated: true, DeactivatedFor: 61 * time.Second}) || !target.Active() {
		t.Errorf("the end of the deactivation is told as %+v", c)
	}
	check(false)
	if target.Unchecked(); !target.Active() {
		t.Error("it is down though it is not checked any more")
	}
	rules.Fall = 3
	if !check(false).Fell {
		t.Error("the first check is not enough after it was forgotten")
	}
}

func ExampleTarget_Checked() {
	target := NewSet(NewRegistry(stopped), Rendezvous, 0, ones(1)).Members()[0]
	rules := Rules{Rise: 2, Fall: 3}
	for _, passed := range []bool{true, false, false, false, true, true} {
		target.Checked(passed, time.Hour, rules)
		fmt.Print(target.Active(), " ")
	}
	// Output: true true true false false true
}
