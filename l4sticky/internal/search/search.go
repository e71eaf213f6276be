package search

import (
	"net/netip"
	"os"
	"slices"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// A Search is one connection's search for a target. Begin makes one ready for use.
type Search struct {
	picker  Picker
	waker   Waker
	times   Times
	dials   []dial // under way
	spare   *dial  // has accepted, and is not wanted
	closing []dial // are to be closed
	chosen  dial   // is to be taken, if it has an ID
	asSpare bool   // that was the spare
	waiting bool   // until the picker wakes the search
	waited  bool   // it has done so before
	lost    bool   // the search is to be given up
	err     error  // why
	over    bool   // there are no more actions
	ended   bool   // the picker is not used any more
	last    ID
	only    [1]dial // the memory of dials, of which there usually is one
}

// A dial is one that is under way or has accepted.
type dial struct {
	Dial
	id      ID
	lateAt  time.Duration // when it is late, or what to do about that is asked again
	until   time.Duration // when it has failed
	starved error         // what it waits for, if this machine has run out of something
	late    bool
	failed  bool // the picker knows that it has failed
	excused bool // it was looked at so late that it was not to blame
}

// Begin starts a search.
func (s *Search) Begin(picker Picker, waker Waker, times Times) {
	*s = Search{picker: picker, waker: waker, times: times}
	s.dials = s.only[:0]
}

// Resume starts a search for a connection that has a target, which is taken as a spare one is if there is no other. It
// returns the ID of that dial.
func (s *Search) Resume(picker Picker, waker Waker, times Times, d Dial) ID {
	s.Begin(picker, waker, times)
	s.last++
	s.spare = &dial{Dial: d, id: s.last}
	return s.last
}

// Accepted tells that a target has accepted.
func (s *Search) Accepted(id ID) {
	i := s.find(id)
	if i < 0 || s.lost {
		return
	}
	d := s.dials[i]
	wanted := s.picker.Wants(d.Dial)
	s.remove(i)
	if wanted {
		s.chosen = d
		return
	}
	if s.spare != nil {
		s.closing = append(s.closing, *s.spare)
	}
	spare := d // here, so that only a spare takes memory of its own
	s.spare = &spare
}

// Trust reports whether a target that has accepted will be taken, so that an executor may send to it what the client has
// said. If it does, AcceptedTrusted or Failed must come next for the dial, or nothing may have been sent.
func (s *Search) Trust(id ID) bool {
	i := s.find(id)
	return i >= 0 && !s.lost && len(s.dials) == 1 && s.spare == nil && s.picker.Wants(s.dials[i].Dial)
}

// AcceptedTrusted tells that a target has accepted for which Trust has reported true just before.
func (s *Search) AcceptedTrusted(id ID) {
	if i := s.find(id); i >= 0 && !s.lost {
		s.chosen = s.dials[i]
		s.remove(i)
	}
}

// Failed tells that a dial has failed for good.
func (s *Search) Failed(id ID, err error) {
	if i := s.find(id); i >= 0 {
		s.fail(i, err)
	}
}

// Starved tells that a dial waits for something that this machine has run out of. Its target is not late meanwhile.
func (s *Search) Starved(id ID, err error, now time.Duration) {
	if i := s.find(id); i >= 0 {
		d := &s.dials[i]
		d.starved, d.lateAt = err, max(d.lateAt, now+s.times.Late)
	}
}

// Fed tells that a dial does not wait any more for what Starved said.
func (s *Search) Fed(id ID) {
	if i := s.find(id); i >= 0 {
		s.dials[i].starved = nil
	}
}

// Dials tells to which of its target's addresses a dial goes now.
func (s *Search) Dials(id ID, at netip.AddrPort) {
	if i := s.find(id); i >= 0 {
		s.dials[i].At = at
	}
}

// Woken tells that the picker has used its Waker.
func (s *Search) Woken() { s.waiting = false }

// ClientGone tells that the client has gone.
func (s *Search) ClientGone() { s.Fail(ErrClientLeft) }

// Fail ends the search for an error of the executor.
func (s *Search) Fail(err error) {
	if !s.lost && s.chosen.id == 0 {
		s.lost, s.err = true, err
	}
}

// Lost is to be called after GiveUp, when the client is closed. It tells the picker.
func (s *Search) Lost() {
	if s.over && !s.ended {
		s.ended = true
		s.picker.Lost(s.err)
	}
}

// Waited reports whether the picker has ever been waited for, so that it may still have the Waker.
func (s *Search) Waited() bool { return s.waited }

// Over reports whether the search has come to its end.
func (s *Search) Over() bool { return s.over }

// Next returns what to do now. It is to be called again after each action but Wait, which holds until the next event.
func (s *Search) Next(now time.Duration) Action {
	for {
		switch {
		case s.over:
			return Action{Kind: Wait, Until: Never}
		case len(s.closing) > 0:
			return s.close(&s.closing)
		case s.chosen.id != 0 || s.lost:
			return s.conclude()
		case s.expire(now):
			continue
		case !s.mayDial() || s.waiting:
			return Action{Kind: Wait, Until: s.due()}
		}
		d, step := s.picker.Next(s.waker)
		switch {
		case step == DialTarget:
			return s.begin(d, now)
		case step == AwaitWake:
			s.waiting, s.waited = true, true
		case len(s.dials) > 0:
			return Action{Kind: Wait, Until: s.due()}
		case s.spare != nil:
			s.chosen, s.asSpare, s.spare = *s.spare, true, nil
		default:
			s.lost = true
		}
	}
}

// Abandon ends a search at once after a panic of the picker or the executor, which has closed all that it had.
func (s *Search) Abandon() {
	dropped := slices.Concat(s.dials, s.closing)
	if s.spare != nil {
		dropped = append(dropped, *s.spare)
	}
	if s.chosen.id != 0 {
		dropped = append(dropped, s.chosen)
	}
	ended := s.ended
	s.dials, s.closing, s.spare, s.chosen = nil, nil, nil, dial{}
	s.over, s.ended = true, true
	for _, d := range dropped {
		if !d.failed {
			s.drop(d)
		}
	}
	if !ended {
		safely.Do("end after a panic", func() { s.picker.Lost(safely.ErrPanic) }) // what has failed may fail again
	}
}

// begin makes a dial of one that the picker wants.
func (s *Search) begin(d Dial, now time.Duration) Action {
	s.last++
	s.dials = append(s.dials, dial{Dial: d, id: s.last, lateAt: now + s.times.Late, until: now + s.times.Timeout})
	return Action{Kind: Connect, ID: s.last, Dial: d}
}

// conclude closes what is not taken, one dial at a time, and then ends the search.
func (s *Search) conclude() Action {
	if s.spare != nil {
		spare := []dial{*s.spare}
		s.spare = nil
		return s.close(&spare)
	}
	if len(s.dials) > 0 {
		return s.close(&s.dials)
	}
	if s.lost {
		s.over = true
		return Action{Kind: GiveUp, Err: s.err}
	}
	d := s.chosen
	s.chosen = dial{} // the picker has it now, even if it panics
	var established flow.Established
	if s.asSpare {
		established = s.picker.TakeSpare(d.Dial)
	} else {
		established = s.picker.Connected(d.Dial)
	}
	s.over, s.ended = true, true
	return Action{Kind: Take, ID: d.id, Dial: d.Dial, Established: established}
}

// close gives up the first of some dials.
func (s *Search) close(dials *[]dial) Action {
	d := (*dials)[0]
	*dials = slices.Delete(*dials, 0, 1)
	if !d.failed {
		s.drop(d)
	}
	return Action{Kind: Close, ID: d.id, Dial: d.Dial}
}

// drop tells the picker of a dial that is given up. That it panics takes nothing from the other ones.
func (s *Search) drop(d dial) {
	safely.Do("drop", func() { s.picker.Dropped(d.Dial) })
}

// expire looks at the time of the dials. It reports true if one has failed, which then is to be closed.
func (s *Search) expire(now time.Duration) bool {
	for i := range s.dials {
		d := &s.dials[i]
		if late := now - d.lateAt; late >= 0 {
			// An executor that looks as late as this was held up, and so was the dial; but it may be so each time.
			d.late, d.lateAt = d.late || d.excused || late < askAgain, now+askAgain
			d.excused = true
		}
		if now < d.until {
			continue
		}
		timedOut, err := *d, d.starved
		if err == nil {
			err = os.ErrDeadlineExceeded
		}
		timedOut.failed = true
		s.closing = append(s.closing, timedOut)
		s.fail(i, err)
		return true
	}
	return false
}

// fail tells the picker of a dial that has failed.
func (s *Search) fail(i int, err error) {
	d := s.dials[i]
	s.remove(i)
	if fatal := s.picker.Failed(d.Dial, d.explain(err)); fatal != nil {
		s.Fail(fatal)
	}
}

// mayDial reports whether all dials under way are late, and the picker would rather have another target dialled.
func (s *Search) mayDial() bool {
	return !slices.ContainsFunc(s.dials, func(d dial) bool { return !d.late || !s.picker.Late(d.Dial) })
}

// due returns when the next of the dials under way is late or has failed.
func (s *Search) due() time.Duration {
	due := Never
	for _, d := range s.dials {
		due = min(due, d.until, d.lateAt)
	}
	return due
}

func (s *Search) find(id ID) int {
	return slices.IndexFunc(s.dials, func(d dial) bool { return d.id == id })
}

func (s *Search) remove(i int) { s.dials = slices.Delete(s.dials, i, i+1) }
