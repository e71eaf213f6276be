package l4sticky

import (
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/adminapi"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// TestFarDeadline has a deadline be as far away as can be said.
func TestFarDeadline(t *testing.T) {
	far := caddy.Duration(1<<63 - 1)
	terms := drainTerms{deadline: &far, began: time.Minute}
	if terms.over(time.Hour) {
		t.Error("it is over after an hour")
	}
}

// TestGreatRate has connections closed at once.
func TestGreatRate(t *testing.T) {
	rate := 1e300
	var d drain
	terms := drainTerms{rate: &rate}
	d.some(terms, time.Second, 10, nil)
	if closed := d.some(terms, 2*time.Second, 10, func(most int) int { return min(most, 10) }); closed != 10 {
		t.Errorf("%d are closed", closed)
	}
}

// TestPaceOfLateComers has connections come when the time to close what is left has begun.
func TestPaceOfLateComers(t *testing.T) {
	var d drain
	terms := drainTerms{began: time.Second}
	d.some(terms, time.Second, 0, nil)
	if closed := d.some(terms, 2*time.Minute, 1, func(most int) int { return most }); closed == 0 {
		t.Error("they are never closed")
	}
}

// TestDrainBeginsAsAnotherEnds sets the deadline of a drain while the end of the one before is being noticed.
func TestDrainBeginsAsAnotherEnds(t *testing.T) {
	c := joinUpstreams(t, Options{}, target.Config{Address: target.Address{Network: "tcp", Dial: "127.0.0.1:1"}, Weight: 1})
	at := c.targets.Members()[0].Target
	deadline := caddy.Duration(time.Hour)
	stop := make(chan struct{})
	var looks sync.WaitGroup
	looks.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				c.draining(at)
			}
		}
	})
	defer looks.Wait()
	defer close(stop)
	for range 20_000 {
		for _, o := range []adminapi.Override{{State: stateActive}, {State: stateDrain, Deadline: &deadline}} {
			if err := c.setOverride(at, o); err != nil {
				t.Fatal(err)
			}
		}
		if c.drainTerms(at).deadline == nil {
			t.Fatal("the deadline of a drain is forgotten")
		}
	}
}

// TestDrainsAfterPanic has the goroutine that looks at drains panic. It goes on.
func TestDrainsAfterPanic(t *testing.T) {
	c := joinUpstreams(t, Options{}, target.Config{Address: target.Address{Network: "tcp", Dial: "127.0.0.1:1"}, Weight: 1})
	panicked := safelytest.InjectOnce(t, "drain")
	if err := c.setOverride(c.targets.Members()[0].Target, adminapi.Override{State: stateDrain}); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for c.drains.watched() && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if panicked() != 1 || c.drains.watched() {
		t.Errorf("after %d panics what has drained is not noticed", panicked())
	}
}

// watched reports whether there is anything to look at yet.
func (d *drains) watched() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.running
}

// TestDeadlineOverRemoval has a reload take a target out of the config that drains, and another one bring it back.
func TestDeadlineOverRemoval(t *testing.T) {
	both := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1", "b:1")
	at := both.targets.Members()[0].Target
	deadline, began := caddy.Duration(time.Hour), monotonic()
	if err := both.setOverride(at, adminapi.Override{State: stateDrain, Deadline: &deadline}); err != nil {
		t.Fatal(err)
	}
	one := joinAs(t, newConfig(t), t.Name(), time.Minute, "b:1")
	both.quit()
	one.drainOnce(monotonic())
	again := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1", "b:1")
	one.quit()
	defer again.quit()
	again.drainOnce(monotonic())
	if terms := again.drainTerms(at); terms.deadline == nil || terms.began > began+time.Second || again.targets.Member(at) == nil {
		t.Errorf("it drains by %+v", terms)
	}
	if err := again.setOverride(at, adminapi.Override{State: stateActive}); err != nil {
		t.Fatal(err)
	}
	if again.drainOnce(monotonic()); len(again.drains.clone()) > 0 {
		t.Errorf("%d targets drain still", len(again.drains.clone()))
	}
}
