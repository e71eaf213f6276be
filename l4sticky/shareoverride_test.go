package l4sticky

import (
	"fmt"
	"reflect"
	"strings"
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

// TestHostileSettings are what no operator can set. A store that tells them changes nothing, also of a target that there is not.
func TestHostileSettings(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Minute, "a:1")
	defer v.quit()
	m := v.targets.Members()[0]
	before := v.upstreamStatus(m)
	for _, text := range []string{
		"", "null", "[]", "drain", `{"state":"gone"}`, `{"state":"drain"`, `{"state":"drain","weight":-1}`, `{"weight":65536}`, `{"weight":1e99}`,
		`{"max_connections":-1}`, `{"max_connections":9223372036854775808}`, `{"state":"active","deadline":"1s"}`, `{"state":"drain","deadline":"-1s"}`,
		`{"state":"maintenance","deadline":"1s","rate":-1}`, `{"state":"drain","deadline":"300y"}`, strings.Repeat(`{"state":`, 1<<16),
	} {
		localSessions{v.pool}.Setting("a:1", text, 0)
		localSessions{v.pool}.Setting("c:1", text, 0)
		if after := v.upstreamStatus(m); !reflect.DeepEqual(after, before) {
			t.Errorf("after %.50q the upstream is %+v", text, after)
			before = after
		}
	}
}
