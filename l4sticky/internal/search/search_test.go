package search

import (
	"errors"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// TestEveryOrder goes through every order of events, up to a depth, for pickers of all kinds. What must hold is in
// executor.check and in fakePicker.
func TestEveryOrder(t *testing.T) {
	depth := 4
	if testing.Short() {
		depth = 3
	}
	searches := 0
	for name, picker := range pickers() {
		var explore func(path []int)
		explore = func(path []int) {
			e := newExecutor(t, picker())
			var names []string
			for _, i := range path {
				next := e.possible()[i]
				names = append(names, next.name)
				next.do(e)
				e.run()
			}
			if t.Failed() {
				t.Fatalf("%s: after %v", name, names)
			}
			searches++
			if len(path) == depth {
				return
			}
			for i := range e.possible() {
				explore(append(slices.Clone(path), i))
			}
		}
		explore(nil)
	}
	t.Logf("%d orders", searches)
}

func pickers() map[string]func() *fakePicker {
	return map[string]func() *fakePicker{
		"no target":         func() *fakePicker { return &fakePicker{} },
		"one target":        func() *fakePicker { return &fakePicker{left: 1} },
		"two, one by one":   func() *fakePicker { return &fakePicker{left: 2} },
		"two, beside":       func() *fakePicker { return &fakePicker{left: 2, beside: true} },
		"three, beside":     func() *fakePicker { return &fakePicker{left: 3, beside: true} },
		"only the second":   func() *fakePicker { return &fakePicker{left: 2, beside: true, wants: map[int]bool{2: true}} },
		"none is wanted":    func() *fakePicker { return &fakePicker{left: 3, wants: map[int]bool{}} },
		"refusals are all":  func() *fakePicker { return &fakePicker{left: 2, beside: true, fatal: true} },
		"waits first":       func() *fakePicker { return &fakePicker{left: 1, waits: 1, beside: true} },
		"waits twice":       func() *fakePicker { return &fakePicker{left: 2, waits: 2, beside: true} },
		"it has one":        func() *fakePicker { return &fakePicker{has: true, left: 2, beside: true} },
		"it has the last":   func() *fakePicker { return &fakePicker{has: true} },
		"it has, and wants": func() *fakePicker { return &fakePicker{has: true, left: 2, wants: map[int]bool{}, waits: 1} },
	}
}

// FuzzSearch takes an order of events at random, with longer ones and more targets than TestEveryOrder can.
func FuzzSearch(f *testing.F) {
	f.Add(uint8(3), uint8(0), true, false, []byte{0, 5, 1, 2})
	f.Add(uint8(8), uint8(0b10101010), true, true, []byte{9, 9, 9, 0, 1, 4, 4, 3, 2, 1})
	f.Add(uint8(131), uint8(0b101), true, false, []byte{2, 0, 3, 1, 9})
	f.Fuzz(func(t *testing.T, targets, wanted uint8, beside, fatal bool, events []byte) {
		p := &fakePicker{left: int(targets % 12), beside: beside, fatal: fatal, wants: make(map[int]bool), waits: int(wanted % 3), has: targets >= 128}
		for i := range 12 {
			p.wants[i+1] = wanted>>(i%8)&1 == 1
		}
		e := newExecutor(t, p)
		for _, b := range events {
			all := e.possible()
			if len(all) == 0 {
				break
			}
			all[int(b)%len(all)].do(e)
			e.run()
		}
		if !e.over() {
			e.search.ClientGone()
			e.run()
		}
		if !e.over() {
			t.Error("the search goes on though the client has gone")
		}
	})
}

// TestPanicsGiveAllBack has each method of a picker panic. The executor then abandons the search.
func TestPanicsGiveAllBack(t *testing.T) {
	for _, method := range []string{"Next", "Wants", "Connected"} {
		t.Run(method, func(t *testing.T) {
			p := &fakePicker{left: 2, beside: true}
			e := newExecutor(t, p)
			e.now = e.until
			e.run() // both are dialled
			p.panics = method
			func() {
				defer func() {
					if recover() == nil {
						t.Error("there is no panic")
					}
				}()
				if method == "Next" {
					e.search.Failed(1, errRefused)
					e.search.Failed(2, errRefused)
				} else {
					e.search.Accepted(2)
				}
				for range 5 {
					e.search.Next(e.now)
				}
			}()
			e.search.Abandon()
			for m := place(1); m <= 2; m++ {
				if p.ends[m] == "" {
					t.Errorf("dial %d has no end", m)
				}
			}
			if len(p.lost) != 1 || p.lost[0] != safely.ErrPanic {
				t.Errorf("lost with %v", p.lost)
			}
			e.search.Abandon() // does nothing
		})
	}
}

// TestLateMeansTheNext dials another target when one is late, and not earlier.
func TestLateMeansTheNext(t *testing.T) {
	e := newExecutor(t, &fakePicker{left: 2, beside: true})
	e.now = late - 1
	if e.run(); len(e.open) != 1 || e.until != late {
		t.Fatalf("%d dials before the first one is late, the next look is at %v", len(e.open), e.until)
	}
	e.now = late
	if e.run(); len(e.open) != 2 {
		t.Errorf("%d dials when the first one is late", len(e.open))
	}
}

// TestStalledSearchBlamesNoTarget looks much later than it should: that tells that the process has had no time, and neither
// has the dial.
func TestStalledSearchBlamesNoTarget(t *testing.T) {
	e := newExecutor(t, &fakePicker{left: 2, beside: true})
	e.now = late + 2*askAgain
	if e.run(); len(e.open) != 1 {
		t.Fatal("another target is dialled at once after a stall")
	}
	e.now += askAgain
	if e.run(); len(e.open) != 2 {
		t.Error("a dial is not late when it should be")
	}
}

// TestSaturatedSearch looks too late each time, as a loop does that is never idle. It forgives that once.
func TestSaturatedSearch(t *testing.T) {
	e := newExecutor(t, &fakePicker{left: 2, beside: true})
	for range 2 {
		e.now = e.until + askAgain + askAgain/2
		e.run()
	}
	if len(e.open) != 2 {
		t.Errorf("no other target is dialled %v after the first dial was late", e.now-late)
	}
}

// TestTimeout fails a dial that was neither accepted nor refused. One that has waited for a descriptor tells so.
func TestTimeout(t *testing.T) {
	for name, want := range map[string]error{"silence": os.ErrDeadlineExceeded, "starved": errExhausted} {
		p := &fakePicker{left: 1}
		e := newExecutor(t, p)
		if name == "starved" {
			e.search.Starved(1, errExhausted, e.now)
		}
		for !e.over() {
			e.now = e.until
			e.run()
		}
		if e.now != timeout || p.ends[1] != "failed" {
			t.Errorf("%s: dial is %s after %v", name, p.ends[1], e.now)
		}
		if name == "starved" && !errors.Is(e.err, want) {
			t.Errorf("%s: given up with %v, want %v", name, e.err, want)
		}
	}
}

// TestStarvedIsNotLate has a dial wait for a descriptor: that is not its target's fault.
func TestStarvedIsNotLate(t *testing.T) {
	e := newExecutor(t, &fakePicker{left: 2, beside: true})
	e.now = late - 1
	e.search.Starved(1, errExhausted, e.now)
	e.now = late
	if e.run(); len(e.open) != 1 {
		t.Error("another target is dialled for one that waits for a descriptor")
	}
	e.search.Fed(1)
	e.now = 2*late - 1
	if e.run(); len(e.open) != 2 {
		t.Error("a dial is not late when it should be")
	}
}

// TestAcceptedBeforeTheEnd takes a target that has accepted, though the client is said to have gone before that was done.
func TestAcceptedBeforeTheEnd(t *testing.T) {
	e := newExecutor(t, &fakePicker{left: 1})
	e.state[1] = "wanted"
	e.search.Accepted(1)
	e.search.ClientGone()
	if e.run(); e.taken != 1 {
		t.Error("the target is not taken")
	}
}

// TestErrorsNameTheAddress has dials fail to a known address, by an error of the system and by the time.
func TestErrorsNameTheAddress(t *testing.T) {
	p := &fakePicker{left: 2, beside: true}
	e := newExecutor(t, p)
	e.search.Dials(1, netip.MustParseAddrPort("192.0.2.1:80"))
	delete(e.open, 1)
	e.search.Failed(1, os.NewSyscallError("connect", syscall.ECONNREFUSED))
	e.run()
	e.search.Dials(2, netip.MustParseAddrPort("[2001:db8::1]:80"))
	for !e.over() {
		e.now = e.until
		e.run()
	}
	want := []string{"dial tcp 192.0.2.1:80: connect: connection refused", "dial tcp [2001:db8::1]:80: i/o timeout"}
	if !slices.Equal(p.failures, want) {
		t.Errorf("the picker is told %q", p.failures)
	}
}
