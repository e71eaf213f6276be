package l4sticky

import (
	"fmt"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// TestDeadlineOfAWrongClock has another node, whose clock is wrong by an hour, set a drain with a deadline. It is not over at once here, and does
// not take an hour longer.
func TestDeadlineOfAWrongClock(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
	defer v.quit()
	at := v.targets.Members()[0].Target
	for _, wrong := range []time.Duration{-time.Hour, time.Hour, -1 << 62, 1 << 62} {
		began := time.Now().Add(wrong).UnixMilli()
		localSessions{v.pool}.Setting("a:1", fmt.Sprintf(`{"state":"drain","deadline":"10m","began":%d}`, began), 5*time.Second)
		left := 10*time.Minute - (monotonic() - v.drainTerms(at).began)
		if left < 10*time.Minute-6*time.Second || left > 10*time.Minute {
			t.Errorf("with a clock that is wrong by %v, the deadline is over in %v", wrong, left)
		}
	}
}

// TestToldDrainGoesOn has other nodes change the terms of a drain. The target gets no clients meanwhile.
func TestToldDrainGoesOn(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
	defer v.quit()
	at := v.targets.Members()[0].Target
	localSessions{v.pool}.Setting("a:1", `{"state":"drain"}`, 0)
	told := make(chan struct{})
	go func() {
		defer close(told)
		for n := range 2000 {
			localSessions{v.pool}.Setting("a:1", fmt.Sprintf(`{"state":"drain","weight":%d}`, n%100), 0)
		}
	}()
	for {
		if mode := at.Control(target.Operator).Mode; mode != target.Drain {
			t.Errorf("the mode is %v", mode)
		}
		select {
		case <-told:
			return
		default:
		}
	}
}
