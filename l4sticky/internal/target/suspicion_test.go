package target

import (
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

func TestSuspect(t *testing.T) {
	const timeout = 3 * time.Second
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	var now atomic.Int64
	clock := func() time.Duration { return time.Duration(now.Load()) }
	for name, test := range map[string]func(*Target) (becomes bool){
		"one client": func(t *Target) bool {
			t.Late(a, timeout)
			return t.Late(a, timeout)
		},
		"two clients": func(t *Target) bool {
			return !t.Late(a, timeout) && t.Late(b, timeout) && !t.Late(b, timeout)
		},
		"a success between": func(t *Target) bool {
			t.Late(a, timeout)
			t.Accepted()
			return t.Late(b, timeout)
		},
		"one after the other has failed": func(t *Target) bool {
			t.Late(a, timeout)
			now.Add(int64(timeout))
			return t.Late(b, timeout)
		},
		"one just before the other fails": func(t *Target) bool {
			t.Late(a, timeout)
			now.Add(int64(timeout) - 1)
			return t.Late(b, timeout)
		},
		"inactive": func(t *Target) bool {
			t.Deactivate(time.Hour)
			return t.Late(a, timeout) || t.Late(b, timeout)
		},
	} {
		t.Run(name, func(t *testing.T) {
			target := newTarget(Address{"tcp", "10.0.0.1:80"}, clock)
			want := name == "two clients" || name == "one just before the other fails"
			if becomes := test(target); becomes != want || target.Suspect() != want {
				t.Errorf("told %v, suspect %v; want %v", becomes, target.Suspect(), want)
			}
		})
	}
}

func TestSuspicionEnds(t *testing.T) {
	for name, end := range map[string]func(*Target){
		"success":      func(t *Target) { t.Accepted() },
		"deactivation": func(t *Target) { t.Deactivate(time.Minute) },
	} {
		target := newTarget(Address{"tcp", "10.0.0.1:80"}, stopped)
		target.Late(netip.MustParseAddr("192.0.2.1"), time.Second)
		target.Late(netip.MustParseAddr("192.0.2.2"), time.Second)
		if end(target); target.Suspect() {
			t.Errorf("suspect after %s", name)
		}
		if target.Late(netip.MustParseAddr("192.0.2.3"), time.Second) {
			t.Errorf("what was before %s counts still", name)
		}
	}
}
