package relay

import (
	"context"
	"net"
	"slices"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// Connect finds a target for a connection that can't be handed to a loop, and returns the connection to it, which
// Run then relays. How to dial a target is the caller's. If there is none, the route is told by Lost.
func Connect(route Route, options *Options, dial func(context.Context, Dial) (net.Conn, error)) (conn net.Conn, line Line) {
	s := &search{route: route, options: options, dial: dial, results: make(chan *attempt), wake: make(wakeup, 1)}
	err := safely.ErrPanic // unless the search comes to an end
	safely.Do("search", func() { conn, line, err = s.run() })
	if line == nil {
		s.giveUp()
		safely.Do("end after a search", func() { route.Lost(err) })
	}
	return conn, line
}

// A search is the goroutine that waits in Connect.
type search struct {
	route   Route
	options *Options
	dial    func(context.Context, Dial) (net.Conn, error)
	flights []*attempt
	spare   *attempt
	results chan *attempt
	wake    wakeup
}

// An attempt is one dial under way.
type attempt struct {
	dial   Dial
	late   bool
	lateAt time.Time
	cancel context.CancelFunc
	landed bool // its outcome is known
	conn   net.Conn
	err    error
}

// A wakeup wakes a search.
type wakeup chan struct{}

// Wake makes the search ask its route again.
func (w wakeup) Wake() {
	select {
	case w <- struct{}{}:
	default:
	}
}

func (s *search) run() (net.Conn, Line, error) {
	waiting := false
	for {
		if s.mayDial() && !waiting {
			d, step := s.route.Next(s.wake)
			switch {
			case step == Dialling:
				s.launch(d)
				continue
			case step == Waiting:
				waiting = true
			case len(s.flights) > 0:
			case s.spare != nil:
				spare := s.spare
				s.spare = nil
				conn, line := s.take(spare, s.route.Settle)
				return conn, line, nil
			default:
				return nil, nil, nil
			}
		}
		timer := time.NewTimer(s.untilLate())
		select {
		case <-timer.C:
		case <-s.wake:
			waiting = false
		case a := <-s.results:
			a.landed = true
			if conn, line, err := s.land(a); line != nil || err != nil {
				timer.Stop()
				return conn, line, err
			}
		}
		timer.Stop()
	}
}

// mayDial reports whether all dials under way are late, and the route would rather try another target.
func (s *search) mayDial() bool {
	for _, a := range s.flights {
		if late := time.Since(a.lateAt); late >= 0 {
			// Who looks as late as this was held up, and so was the dial.
			a.late, a.lateAt = a.late || late < askAgain, time.Now().Add(askAgain)
		}
	}
	return !slices.ContainsFunc(s.flights, func(a *attempt) bool { return !a.late || !s.route.Late(a.dial) })
}

// untilLate returns how long it is until the next dial is late.
func (s *search) untilLate() time.Duration {
	wait := time.Hour
	for _, a := range s.flights {
		wait = min(wait, time.Until(a.lateAt))
	}
	return wait
}

func (s *search) launch(d Dial) {
	ctx, cancel := context.WithTimeout(context.Background(), s.options.DialTimeout)
	a := &attempt{dial: d, lateAt: time.Now().Add(s.options.Late), cancel: cancel}
	s.flights = append(s.flights, a)
	go safely.Do("dial", func() { s.connect(ctx, a) })
}

func (s *search) connect(ctx context.Context, a *attempt) {
	defer a.cancel()
	a.err = safely.ErrPanic // unless the dial comes to an end
	defer func() { s.results <- a }()
	safely.Reach("dial")
	a.conn, a.err = s.dial(ctx, a.dial)
}

// land looks at a dial that has come to an end.
func (s *search) land(a *attempt) (net.Conn, Line, error) {
	switch {
	case a.err != nil:
		s.forget(a)
		return nil, nil, s.route.Failed(a.dial, a.err)
	case s.route.Agreed(a.dial):
		s.forget(a)
		conn, line := s.take(a, s.route.Connected)
		return conn, line, nil
	}
	s.forget(a)
	s.dropSpare()
	s.spare = a
	return nil, nil, nil
}

func (s *search) forget(a *attempt) {
	s.flights = slices.DeleteFunc(s.flights, func(other *attempt) bool { return other == a })
}

// take ends the search with a target that has accepted.
func (s *search) take(a *attempt, as func(Dial) Line) (_ net.Conn, line Line) {
	defer func() {
		if line == nil {
			_ = a.conn.Close()
		}
	}()
	s.giveUp()
	return a.conn, as(a.dial)
}

func (s *search) dropSpare() {
	if spare := s.spare; spare != nil {
		s.spare = nil
		s.drop(spare)
	}
}

// giveUp drops all that the search holds, after the last word of the dials under way.
func (s *search) giveUp() {
	s.dropSpare()
	flights, pending := s.flights, 0
	s.flights = nil
	for _, a := range flights {
		if !a.landed {
			pending++
		}
		a.cancel()
		s.drop(a)
	}
	if pending > 0 {
		go safely.Do("drain", func() { s.drain(pending) })
	}
}

// drop closes what a dial has brought so far, if that is known. That it fails takes nothing from other dials.
func (s *search) drop(a *attempt) {
	if a.landed && a.conn != nil {
		_ = a.conn.Close()
	}
	safely.Do("drop", func() { s.route.Dropped(a.dial) })
}

func (s *search) drain(dials int) {
	for range dials {
		if a := <-s.results; a.conn != nil {
			_ = a.conn.Close()
		}
	}
}
