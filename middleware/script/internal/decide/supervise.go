package decide

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// How long the script waits before it is started anew: not at all after the first failure, and then the longer the oftener
// engines fail soon after they were started. It must be much less than a second, as all clients wait.
const (
	firstPause = 25 * time.Millisecond
	mostPause  = 400 * time.Millisecond
	// soon is how long an engine must have lived for the next one to be started at once.
	soon = time.Second
	// A script that can't be started is tried again after loadPause, then after twice as long each time, up to
	// mostLoadPause. Its clients are kept out meanwhile.
	loadPause     = time.Second
	mostLoadPause = 30 * time.Second
)

// startLimit is how long an engine may take to start on a busy machine, beside what the script does.
const startLimit = 5 * time.Second

// Loaded waits until an engine that was started has loaded the script, and returns it. If that fails, it shuts the engine.
func (s *Script) Loaded(ctx context.Context, e Engine, loaded <-chan error) (Engine, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, LoadRuns*s.options.RunLimit+startLimit, errors.New("run did not finish in time"))
	defer cancel()
	var err error
	select {
	case err = <-loaded:
	case <-e.Done():
		select {
		case err = <-loaded: // says more
		default:
			err = e.Err()
		}
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err == nil {
		return e, nil
	}
	e.Shut(err)
	if !strings.Contains(err.Error(), s.path) {
		err = fmt.Errorf("%s: %w", s.path, err)
	}
	return nil, err
}

// enter has an engine decide, first about the clients that wait. It shuts the engine if the script was closed meanwhile.
func (s *Script) enter(e Engine) {
	s.mu.Lock()
	if s.ctx.Err() != nil {
		s.mu.Unlock()
		e.Shut(errStopped)
		return
	}
	s.engine, s.down = e, nil
	// The longest waiting comes first. Numbers may have begun anew after the largest one.
	for _, number := range slices.SortedFunc(maps.Keys(s.pending), func(a, b uint32) int { return int(int32(a - b)) }) {
		s.unsyncedAsk(number)
	}
	s.mu.Unlock()
}

// leaveEngine has no engine decide, until the next one enters, and lets go of the clients that the last one has let in. If an error
// says why there will not be one soon, all clients are kept out until then.
func (s *Script) leaveEngine(down error) {
	s.mu.Lock()
	guests := s.guests
	s.engine, s.down, s.guests = nil, down, make(map[uint32]*decision)
	s.mu.Unlock()
	for _, d := range guests {
		if d.stop != nil {
			d.stop()
		}
	}
	if down != nil {
		s.blockAll(down, 0)
	}
}

// supervise replaces engines that fail, until the script is closed.
func (s *Script) supervise(e Engine) {
	pause := time.Duration(0)
	for {
		began := time.Now()
		select {
		case <-e.Done():
		case <-s.ctx.Done():
			return
		}
		s.leaveEngine(nil)
		s.Log.Log(slog.LevelError, "the script was stopped and starts anew", "reason", e.Err().Error())
		e.Shut(e.Err())
		if time.Since(began) >= soon {
			pause = 0
		}
		s.sleep(pause)
		pause = min(max(2*pause, firstPause), mostPause)
		if e = s.restart(); e == nil {
			return
		}
		s.enter(e)
	}
}

// restart starts an engine, trying again for as long as that fails. It returns nil if the script is closed meanwhile.
func (s *Script) restart() Engine {
	for pause := loadPause; s.ctx.Err() == nil; pause = min(2*pause, mostLoadPause) {
		var e Engine
		err := safely.ErrPanic // unless Start comes to an end
		safely.Do("script restart", func() {
			safely.Reach("script restart")
			e, err = s.runtime.Start(s.ctx, s)
		})
		if err == nil {
			return e
		}
		if s.ctx.Err() != nil {
			return nil
		}
		err = fmt.Errorf("the script is down: %w", err)
		s.Log.Log(slog.LevelError, "the script could not be started anew; all clients are blocked", "error", err.Error())
		s.leaveEngine(err)
		s.sleep(pause)
	}
	return nil
}

// sleep waits, and reports whether the script is still open.
func (s *Script) sleep(pause time.Duration) bool {
	select {
	case <-time.After(pause):
	case <-s.ctx.Done():
	}
	return s.ctx.Err() == nil
}
