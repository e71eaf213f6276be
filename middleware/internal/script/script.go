package script

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/loglimit"
	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// A script may print at most logLines in a logWindow, since any stranger may make it print.
const (
	logLines  = 200
	logWindow = 10 * time.Second
)

// Client is a connection that a script decides about.
type Client struct {
	// Remote and Local are the two ends of the connection.
	Remote, Local netip.AddrPort
	// OnEnd has f called once when the connection is over, be it long after it was let in: then the
	// script's socket emits 'close'. It returns what takes that back. It is called only for clients to whose
	// socket the script listens. If it is nil, that event comes only to clients that are not let in.
	OnEnd func(f func()) (stop func())
	// Kick ends the connection, at any time after the client was let in. If it is nil, the script's socket throws instead.
	// The event loop calls it, so it must not block.
	Kick func()
}

// Targets is what a script may ask of the balancer about its targets, which are given as `host:port`. Both functions
// are called by the script's event loop. An error is thrown in the script.
type Targets interface {
	// IsActive reports whether a target gets new connections.
	IsActive(address string) (bool, error)
	// Deactivate has a target get none for a while.
	Deactivate(address string) error
}

// Options are the settings of a script. The zero value is usable.
type Options struct {
	// Logger gets what the script prints and what goes wrong in it. The default discards it.
	Logger *slog.Logger
	// Timeout is how long a client may wait for its decision. The default is 10 seconds; the context given to
	// Decide may be shorter.
	Timeout time.Duration
	// RunLimit is how long the script may compute without a pause on behalf of one client, by default 1
	// second. Work that is nobody's, such as timers set when the script was loaded, may take five times that,
	// and loading twenty times.
	RunLimit time.Duration
	// MemoryLimit is by how many bytes the heap may grow while the script computes without a pause on behalf of one
	// client, and the most that one call may allocate. The default is 256 MiB. Other work may take four times that.
	MemoryLimit int64
	// Targets is asked about targets once the script is loaded. If it is nil, the script's calls throw an error that says so.
	Targets Targets
}

// Script is a loaded script.
type Script struct {
	path    string
	options Options
	sources *sources
	log     *loglimit.Logger

	stir      chan struct{} // tells the watchdog that there is something to watch
	stop      chan struct{}
	closeOnce sync.Once
	workers   sync.WaitGroup // the watchdog, and restarts

	mu      sync.Mutex
	pending list.List // of *decision, the longest waiting first
	engine  *engine   // nil while the script is started anew
	down    error     // why the script could not be started anew
	stuck   int       // event loops that were stopped and did not end yet
	asked   bool      // since the last look
	closed  bool
}

var errStopped = errors.New("script stopped")

// Load reads the script at path, which is found as by require, runs it, and calls its module.exports.run. An error
// names the file and the line at fault. The script runs until it is closed.
func Load(path string, o Options) (*Script, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("script %s: %w", path, err)
	}
	if found := asFileOrFolder(absolute); found != "" {
		absolute = found
	}
	if target, err := real(absolute); err == nil {
		absolute = target // else reading it tells what is wrong
	}
	s := newScript(absolute, o)
	s.workers.Go(safely.Func("script watchdog", s.watch))
	e := newEngine(s)
	s.mu.Lock()
	s.engine = e
	s.mu.Unlock()
	s.watchMe()
	if err := e.start(); err != nil {
		s.Close()
		return nil, err
	}
	s.open(e)
	return s, nil
}

func newScript(path string, o Options) *Script {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Timeout <= 0 {
		o.Timeout = 10 * time.Second
	}
	if o.RunLimit <= 0 {
		o.RunLimit = time.Second
	}
	if o.MemoryLimit <= 0 {
		o.MemoryLimit = 256 << 20
	}
	return &Script{
		path:    path,
		options: o,
		sources: newSources(),
		log:     loglimit.NewLogger(o.Logger.With("script", path), logLines, logWindow),
		stir:    make(chan struct{}, 1),
		stop:    make(chan struct{}),
	}
}

// Decide asks the script's middlewares about a client, in the order in which they were added. It returns
// nil if the client may come in, else an error with the reason. It returns at the latest when ctx ends or
// the Timeout of the options is over.
func (s *Script) Decide(ctx context.Context, c Client) error {
	d := &decision{client: c, since: time.Now(), answer: answerChannels.Get().(chan error)}
	defer answerChannels.Put(d.answer) // empty again: there is one answer, and it is taken
	if err := s.submit(d); err != nil {
		return err
	}
	select {
	case err := <-d.answer:
		return err
	case <-ctx.Done():
		s.leave(d, fmt.Errorf("no decision of the script: %w", context.Cause(ctx)))
		return <-d.answer
	}
}

var answerChannels = sync.Pool{New: func() any { return make(chan error, 1) }}

// Retire closes the script when nobody has waited for a decision for a while. New clients are decided about
// until then. It returns at once.
func (s *Script) Retire() {
	go safely.Do("script retirement", func() { s.retire(time.Second) }, s.Close)
}

func (s *Script) retire(quiet time.Duration) {
	safely.Reach("script retirement")
	ticker := time.NewTicker(quiet / 4)
	defer ticker.Stop()
	for calm := 0; calm < 4; {
		select {
		case <-ticker.C:
			if calm++; s.isBusy() {
				calm = 0
			}
		case <-s.stop:
			return
		}
	}
	s.Close()
}

// isBusy reports whether a client waits, or has asked since the last call.
func (s *Script) isBusy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = false
	return asked || s.pending.Len() > 0
}

// Close stops the script. Clients who wait for a decision are blocked.
func (s *Script) Close() {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.closed = true
		e := s.engine
		s.engine = nil
		s.mu.Unlock()
		close(s.stop)
		for _, d := range s.waiting() {
			s.settle(d, errStopped)
		}
		if e != nil {
			e.shut(errStopped)
		}
	})
	s.workers.Wait()
	s.log.Flush()
}
