package relay

import (
	"context"
	"net"
	"slices"
	"time"
)

// Connect finds a target for a connection that can't be handed to a loop, and returns the connection to it, which
// Run then relays. How to dial a target is the caller's. If there is none, the route is told by Lost.
func Connect(route Route, options *Options, dial func(context.Context, Dial) (net.Conn, error)) (net.Conn, Line) {
	s := &search{route: route, options: options, dial: dial, results: make(chan *attempt), wake: make(wakeup, 1)}
	conn, line, err := s.run()
	if line == nil {
		s.giveUp()
		route.Lost(err)
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
				s.giveUp()
				return spare.conn, s.route.Settle(spare.dial), nil
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
			s.flights = slices.DeleteFunc(s.flights, func(other *attempt) bool { return other == a })
			if line, err := s.land(a); line != nil || err != nil {
				timer.Stop()
				return a.conn, line, err
			}
		}
		timer.Stop()
	}
}

// mayDial reports whether all dials under way are late, and the route would rather try another target.
func (s *search) mayDial() bool {
	for _, a := range s.flights {
		if time.Until(a.lateAt) <= 0 {
			a.late, a.lateAt = true, time.Now().Add(askAgain)
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
	go s.connect(ctx, a)
}

func (s *search) connect(ctx context.Context, a *attempt) {
	defer a.cancel()
	a.conn, a.err = s.dial(ctx, a.dial)
	s.results <- a
}

// land looks at a dial that has come to an end.
func (s *search) land(a *attempt) (Line, error) {
	switch {
	case a.err != nil:
		return nil, s.route.Failed(a.dial, a.err)
	case s.route.Agreed(a.dial):
		s.giveUp()
		return s.route.Connected(a.dial), nil
	}
	s.dropSpare()
	s.spare = a
	return nil, nil
}

func (s *search) dropSpare() {
	if s.spare != nil {
		_ = s.spare.conn.Close()
		s.route.Dropped(s.spare.dial)
		s.spare = nil
	}
}

// giveUp drops all that the search holds, after the last word of the dials under way.
func (s *search) giveUp() {
	s.dropSpare()
	for _, a := range s.flights {
		a.cancel()
		s.route.Dropped(a.dial)
	}
	if len(s.flights) > 0 {
		go s.drain(len(s.flights))
	}
}

func (s *search) drain(dials int) {
	for range dials {
		if a := <-s.results; a.conn != nil {
			_ = a.conn.Close()
		}
	}
}
