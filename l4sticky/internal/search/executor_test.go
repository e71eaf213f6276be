package search

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

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
	t        testing.TB
	left     int          // targets
	waits    int          // how many times it waits before it offers one
	wants    map[int]bool // or all are wanted
	beside   bool         // another target is dialled beside a late one
	fatal    bool         // a dial that is refused ends the search
	has      bool         // the connection has a target, its first one
	panics   string       // the method that panics
	offered  int
	ends     map[place]string
	lost     []error
	failures []string
	wakers   int
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
	p.failures = append(p.failures, err.Error())
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
	times := Times{Timeout: timeout, Late: late}
	if p.has {
		p.offered++
		id := e.search.Resume(p, nil, times, Dial{Target: place(1)})
		e.open[id], e.state[id] = 1, "spare"
	} else {
		e.search.Begin(p, nil, times)
	}
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
			if len(e.picker.lost) > 0 {
				e.t.Fatal("the picker is told before the client is closed")
			}
			e.search.Lost()
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
			event{fmt.Sprint(id, " accepted when the client had gone"), func(e *executor) {
				e.search.ClientGone()
				e.search.Accepted(id)
			}},
			event{fmt.Sprint(id, " trusted when the client had gone"), func(e *executor) {
				e.search.ClientGone()
				if e.search.Trust(id) {
					e.t.Fatalf("dial %d is trusted though the client has gone", id)
				}
				e.search.AcceptedTrusted(id)
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
