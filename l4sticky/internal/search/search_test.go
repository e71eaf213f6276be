package search

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// place is a target that is known by its number only.
type place int

func (place) Addrs() []netip.AddrPort                           { return nil }
func (place) Resolve(context.Context) ([]netip.AddrPort, error) { return nil, nil }
func (place) Reached(netip.AddrPort)                            {}

// established is a connection with a target.
type established struct{ dial Dial }

func (established) Counters() *flow.Counters { return nil }
func (established) TargetFailed()            {}
func (established) Done(flow.Result)         {}

var (
	errRefused   = errors.New("refused")
	errExhausted = errors.New("exhausted")
)

// fakePicker offers some targets one after the other, and notes how each dial ends.
type fakePicker struct {
	t       testing.TB
	left    int          // targets
	waits   int          // how many times it waits before it offers one
	wants   map[int]bool // or all are wanted
	beside  bool         // another target is dialled beside a late one
	fatal   bool         // a dial that is refused ends the search
	panics  string       // the method that panics
	offered int
	ends    map[place]string
	lost    []error
	wakers  int
}

func (p *fakePicker) fault(method string) {
	if p.panics == method {
		panic(method)
	}
}

func (p *fakePicker) end(d Dial, how string) {
	m := d.Target.(place)
	if before := p.ends[m]; before != "" {
		p.t.Fatalf("dial %d is %s after it was %s", m, how, before)
	}
	if int(m) > p.offered {
		p.t.Fatalf("dial %d is %s, and was not offered", m, how)
	}
	p.ends[m] = how
}

func (p *fakePicker) Next(Waker) (Dial, Step) {
	p.mustGoOn("Next")
	p.fault("Next")
	if p.waits > 0 {
		p.waits--
		p.wakers++
		return Dial{}, AwaitWake
	}
	if p.left == 0 {
		return Dial{}, NoTarget
	}
	p.left--
	p.offered++
	return Dial{Target: place(p.offered)}, DialTarget
}

func (p *fakePicker) mustGoOn(method string) {
	if len(p.lost) > 0 {
		p.t.Fatalf("%s is called after the end", method)
	}
	for m, how := range p.ends {
		if how == "connected" || how == "taken as spare" {
			p.t.Fatalf("%s is called after %d was %s", method, m, how)
		}
	}
}

func (p *fakePicker) Late(Dial) bool {
	p.mustGoOn("Late")
	return p.beside
}

func (p *fakePicker) Wants(d Dial) bool {
	p.mustGoOn("Wants")
	p.fault("Wants")
	return p.wants == nil || p.wants[int(d.Target.(place))]
}

func (p *fakePicker) Connected(d Dial) flow.Established {
	p.end(d, "connected")
	p.fault("Connected")
	return established{d}
}

func (p *fakePicker) TakeSpare(d Dial) flow.Established {
	p.end(d, "taken as spare")
	return established{d}
}

func (p *fakePicker) Failed(d Dial, err error) error {
	p.end(d, "failed")
	if p.fatal && errors.Is(err, errRefused) || errors.Is(err, errExhausted) {
		return err
	}
	return nil
}

func (p *fakePicker) Dropped(d Dial) { p.end(d, "dropped") }

func (p *fakePicker) Own(Dial, netip.AddrPort, func() bool) {}

func (p *fakePicker) Lost(err error) { p.lost = append(p.lost, err) }

// An executor carries out actions, and keeps account of what it would have open.
type executor struct {
	t      testing.TB
	picker *fakePicker
	search Search
	now    time.Duration
	open   map[ID]place // dials that are under way or have accepted
	since  map[ID]time.Duration
	state  map[ID]string
	taken  ID
	gaveUp bool
	err    error
	until  time.Duration
}

const (
	timeout = 400 * time.Millisecond
	late    = 100 * time.Millisecond
)

func newExecutor(t testing.TB, p *fakePicker) *executor {
	p.t, p.ends = t, make(map[place]string)
	e := &executor{t: t, picker: p, open: make(map[ID]place), since: make(map[ID]time.Duration), state: make(map[ID]string)}
	e.search.Begin(p, nil, Times{Timeout: timeout, Late: late})
	e.run()
	return e
}

func (e *executor) over() bool { return e.taken != 0 || e.gaveUp }

// run carries out actions until there is none.
func (e *executor) run() {
	passedOver := 0 // dials that were closed though they could still be accepted in time
	for range 1000 {
		a := e.search.Next(e.now)
		if e.over() && a.Kind != Wait {
			e.t.Fatalf("action %v after the end", a)
		}
		switch a.Kind {
		case Wait:
			e.until = a.Until
			e.check()
			return
		case Connect:
			if slices.Contains(e.states(), "wanted") {
				e.t.Fatalf("another target is dialled though one has accepted that is wanted")
			}
			e.open[a.ID], e.since[a.ID], e.state[a.ID] = a.Dial.Target.(place), e.now, "dialling"
		case Close:
			e.mustHave(a.ID)
			if e.state[a.ID] == "dialling" && e.now < e.since[a.ID]+timeout {
				passedOver++
			}
			delete(e.open, a.ID)
			e.state[a.ID] = "closed"
		case Take:
			if passedOver > 0 && e.state[a.ID] != "wanted" {
				e.t.Fatal("a spare is taken though another target may still accept")
			}
			e.mustHave(a.ID)
			delete(e.open, a.ID)
			if e.taken = a.ID; e.state[a.ID] == "dialling" || a.Established == nil {
				e.t.Fatalf("dial %d is taken before it is accepted, as %v", a.ID, a.Established)
			}
		case GiveUp:
			if passedOver > 0 && a.Err == nil {
				e.t.Fatal("the search gives up though a target may still accept")
			}
			e.gaveUp, e.err = true, a.Err
		}
	}
	e.t.Fatal("the search does not come to rest")
}

func (e *executor) states() (all []string) {
	for id := range e.open {
		all = append(all, e.state[id])
	}
	return all
}

func (e *executor) mustHave(id ID) {
	if _, known := e.open[id]; !known {
		e.t.Fatalf("dial %d is not open", id)
	}
}

// check looks at what must hold whenever the search waits.
func (e *executor) check() {
	if !e.over() {
		if slices.Contains(e.states(), "wanted") {
			e.t.Fatal("a target that has accepted and is wanted is not taken")
		}
		if len(e.open) == 0 && e.picker.wakers == 0 {
			e.t.Fatal("the search waits for nothing")
		}
		for id, since := range e.since {
			if e.state[id] == "dialling" && e.open[id] != 0 && e.until > since+timeout {
				e.t.Fatalf("the search waits until %v for a dial of %v", e.until, since)
			}
		}
		if len(e.search.dials)+e.spares() != len(e.open) {
			e.t.Fatalf("the search knows of %d dials, and %d are open", len(e.search.dials), len(e.open))
		}
		return
	}
	if len(e.open) > 0 {
		e.t.Fatalf("dials are open after the end: %v", e.open)
	}
	for m := range place(e.picker.offered) {
		if e.picker.ends[m+1] == "" {
			e.t.Fatalf("dial %d has no end", m+1)
		}
	}
	if lost := len(e.picker.lost); lost > 1 || (lost == 1) != e.gaveUp {
		e.t.Fatalf("the picker was told %d times that the connection is lost, given up: %v", lost, e.gaveUp)
	}
	if e.until != Never {
		e.t.Fatalf("the search waits until %v after its end", e.until)
	}
}

func (e *executor) spares() int {
	if e.search.spare != nil {
		return 1
	}
	return 0
}

// An event is something that can happen to the search now.
type event struct {
	name string
	do   func(e *executor)
}

// possible returns all that can happen now.
func (e *executor) possible() (all []event) {
	if e.over() {
		return nil
	}
	for id := range e.search.last + 1 {
		if e.open[id] == 0 || e.state[id] != "dialling" {
			continue
		}
		all = append(all,
			event{fmt.Sprint(id, " accepted"), func(e *executor) {
				e.state[id] = "spare"
				if p := e.picker; p.wants == nil || p.wants[int(e.open[id])] {
					e.state[id] = "wanted"
				}
				e.search.Accepted(id)
			}},
			event{fmt.Sprint(id, " trusted"), func(e *executor) {
				if e.search.Trust(id) {
					if len(e.open) > 1 {
						e.t.Fatalf("dial %d is trusted beside others", id)
					}
					e.state[id] = "wanted"
					e.search.AcceptedTrusted(id)
				}
			}},
			event{fmt.Sprint(id, " refused"), func(e *executor) {
				delete(e.open, id)
				e.state[id] = "closed"
				e.search.Failed(id, errRefused)
			}},
			event{fmt.Sprint(id, " starved"), func(e *executor) { e.search.Starved(id, errExhausted, e.now) }},
			event{fmt.Sprint(id, " fed"), func(e *executor) { e.search.Fed(id) }})
	}
	if e.picker.wakers > 0 {
		all = append(all, event{"woken", func(e *executor) {
			e.picker.wakers--
			e.search.Woken()
		}})
	}
	if e.until != Never {
		all = append(all, event{"time", func(e *executor) { e.now = e.until }})
	}
	return append(all,
		event{"client gone", func(e *executor) { e.search.ClientGone() }},
		event{"a late event", func(e *executor) {
			e.search.Accepted(e.search.last + 7)
			e.search.Failed(e.search.last+7, errRefused)
		}})
}

// TestEveryOrder goes through every order of events, up to a depth, for pickers of all kinds. What must hold is in
// executor.check and in fakePicker.
func TestEveryOrder(t *testing.T) {
	depth := 5
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
		"no target":        func() *fakePicker { return &fakePicker{} },
		"one target":       func() *fakePicker { return &fakePicker{left: 1} },
		"two, one by one":  func() *fakePicker { return &fakePicker{left: 2} },
		"two, beside":      func() *fakePicker { return &fakePicker{left: 2, beside: true} },
		"three, beside":    func() *fakePicker { return &fakePicker{left: 3, beside: true} },
		"only the second":  func() *fakePicker { return &fakePicker{left: 2, beside: true, wants: map[int]bool{2: true}} },
		"none is wanted":   func() *fakePicker { return &fakePicker{left: 3, wants: map[int]bool{}} },
		"refusals are all": func() *fakePicker { return &fakePicker{left: 2, beside: true, fatal: true} },
		"waits first":      func() *fakePicker { return &fakePicker{left: 1, waits: 1, beside: true} },
		"waits twice":      func() *fakePicker { return &fakePicker{left: 2, waits: 2, beside: true} },
	}
}

// FuzzSearch takes an order of events at random, with longer ones and more targets than TestEveryOrder can.
func FuzzSearch(f *testing.F) {
	f.Add(uint8(3), uint8(0), true, false, []byte{0, 5, 1, 2})
	f.Add(uint8(8), uint8(0b10101010), true, true, []byte{9, 9, 9, 0, 1, 4, 4, 3, 2, 1})
	f.Fuzz(func(t *testing.T, targets, wanted uint8, beside, fatal bool, events []byte) {
		p := &fakePicker{left: int(targets % 12), beside: beside, fatal: fatal, wants: make(map[int]bool), waits: int(wanted % 3)}
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
