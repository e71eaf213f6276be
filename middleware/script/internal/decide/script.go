package decide

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

const (
	// A script may print at most logLines in a logWindow, since any stranger may make it print.
	logLines  = 200
	logWindow = 10 * time.Second
	// quiet is how long no client must have waited for a script that is to be retired.
	quiet = time.Second
)

// Script is a loaded script.
type Script struct {
	// Log takes what the script prints and what goes wrong in it, up to a bound of lines.
	Log *loglimit.Logger

	path    string
	options Options
	runtime Runtime
	ctx     context.Context // ends when the script is closed
	cancel  context.CancelFunc
	workers sync.WaitGroup
	answers sync.Pool // of the channels that decisions have

	mu      sync.Mutex           // guards what follows
	last    uint32               // the number of the last client
	pending map[uint32]*decision // the clients that wait, by their numbers
	guests  map[uint32]*decision // those that were let in and of whom the script may speak
	engine  Engine               // nil while the script is started anew
	down    error                // why the script could not be started anew
	asked   bool                 // since the last look
}

var errStopped = errors.New("script stopped")

// Open starts a script, whose path is absolute, and returns it when it may decide. The script runs until it is closed.
func Open(path string, o Options, r Runtime) (*Script, error) {
	o = o.withDefaults()
	s := &Script{
		Log:     loglimit.NewLogger(o.Logger.With("script", path), logLines, logWindow),
		path:    path,
		options: o,
		runtime: r,
		answers: sync.Pool{New: func() any { return make(chan error, 1) }},
		pending: make(map[uint32]*decision),
		guests:  make(map[uint32]*decision),
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	e, err := r.Start(s.ctx, s)
	if err != nil {
		s.Close()
		return nil, err
	}
	s.enter(e)
	s.workers.Go(safely.Func("script supervisor", func() { s.supervise(e) }, func() { s.leaveEngine(safely.ErrPanic) }))
	return s, nil
}

// Path returns the script's path.
func (s *Script) Path() string { return s.path }

// Options returns the script's settings, with the defaults for what was not set.
func (s *Script) Options() Options { return s.options }

// Decide asks the script's middlewares about a client, in the order in which they were added. It returns
// nil if the client may come in, else an error with the reason. It returns at the latest when ctx ends.
func (s *Script) Decide(ctx context.Context, c Client) error {
	d := &decision{client: c, answer: s.answers.Get().(chan error)}
	defer s.answers.Put(d.answer) // empty again: there is one answer, and it is taken
	number, err := s.submit(d)
	if err != nil {
		return err
	}
	select {
	case err := <-d.answer:
		return err
	case <-ctx.Done():
		if s.Settle(number, fmt.Errorf("no decision of the script: %w", context.Cause(ctx))) {
			s.tellLeft(number)
		}
		return <-d.answer
	}
}

// Retire closes the script when no client has waited for a decision for a while. New clients are decided about
// until then. It returns at once.
func (s *Script) Retire() {
	go safely.Do("script retirement", s.retire, s.Close)
}

func (s *Script) retire() {
	safely.Reach("script retirement")
	for s.sleep(quiet) && s.isBusy() {
	}
	s.Close()
}

// isBusy reports whether a client waits, or has asked since the last call.
func (s *Script) isBusy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = false
	return asked || len(s.pending) > 0
}

// Close stops the script. Clients that wait for a decision are blocked.
func (s *Script) Close() {
	s.mu.Lock()
	s.cancel()
	e := s.engine
	s.mu.Unlock()
	s.blockAll(errStopped, 0)
	if e != nil {
		e.Shut(errStopped)
	}
	s.leaveEngine(errStopped)
	s.workers.Wait()
	s.Log.Flush()
}
