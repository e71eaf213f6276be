package decide

import (
	"context"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errCrash = errors.New("crashed")

// fakeRuntime starts engines that fail on demand, which real ones don't.
type fakeRuntime struct {
	mu      sync.Mutex
	engines []*fakeEngine
	broken  error // what Start returns
	decide  func(s *Script, number uint32)
}

type fakeEngine struct {
	runtime *fakeRuntime
	script  *Script
	done    chan struct{}
	once    sync.Once
	left    chan uint32
	shut    chan error
}

func (r *fakeRuntime) Start(ctx context.Context, s *Script) (Engine, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.broken != nil {
		return nil, r.broken
	}
	e := &fakeEngine{runtime: r, script: s, done: make(chan struct{}), left: make(chan uint32, 100), shut: make(chan error, 1)}
	r.engines = append(r.engines, e)
	return e, nil
}

func (r *fakeRuntime) last() *fakeEngine {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.engines[len(r.engines)-1]
}

func (r *fakeRuntime) setBroken(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broken = err
}

func (e *fakeEngine) Decide(number uint32, _ *Client) {
	if e.runtime.decide != nil {
		go e.runtime.decide(e.script, number) // the script's lock is held
	}
}
func (e *fakeEngine) Left(number uint32)    { e.left <- number }
func (e *fakeEngine) Done() <-chan struct{} { return e.done }
func (e *fakeEngine) Err() error            { return errCrash }
func (e *fakeEngine) Shut(reason error) {
	select {
	case e.shut <- reason:
	default: // it was shut before
	}
	e.fail()
}
func (e *fakeEngine) fail() { e.once.Do(func() { close(e.done) }) }

func mustOpen(t *testing.T, r *fakeRuntime) *Script {
	t.Helper()
	s, err := Open("/balancer.js", Options{}, r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask begins to ask about a client and returns where its answer comes.
func ask(s *Script) chan error {
	answer := make(chan error, 1)
	go func() {
		answer <- s.Decide(context.Background(), Client{Remote: netip.MustParseAddrPort("192.0.2.1:1")})
	}()
	return answer
}

// The next engine is asked about the clients for which the one before had no answer.
func TestAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		times := 0
		r := &fakeRuntime{decide: func(s *Script, number uint32) {
			if times++; times == 2 {
				s.Settle(number, nil)
			}
		}}
		s := mustOpen(t, r)
		defer s.Close()
		first := r.last()
		answer := ask(s)
		synctest.Wait()
		first.fail()
		if err := <-answer; err != nil {
			t.Error(err)
		}
		if reason := <-first.shut; reason != errCrash {
			t.Errorf("shut because of %v", reason)
		}
	})
}

// Engines that fail again and again are started at a bounded rate, which is much more than one a second.
func TestPauses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(fakeRuntime)
		s := mustOpen(t, r)
		defer s.Close()
		started := func() int {
			r.mu.Lock()
			defer r.mu.Unlock()
			return len(r.engines)
		}
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			r.last().fail()
			synctest.Wait()
			time.Sleep(time.Millisecond)
		}
		if n := started(); n < 25 || n > 32 {
			t.Errorf("%d engines in 10 seconds, want 4 in the first and one each 0.4 s after that", n)
		}
		time.Sleep(2 * soon)
		n := started()
		r.last().fail()
		synctest.Wait()
		if started() != n+1 {
			t.Error("an engine that had lived for long was not replaced at once")
		}
	})
}

// While no engine can be started each client is kept out, and then none.
func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(fakeRuntime)
		s := mustOpen(t, r)
		defer s.Close()
		waits := ask(s)
		synctest.Wait()
		broken := errors.New("broken")
		r.setBroken(broken)
		r.last().fail()
		if err := <-waits; !errors.Is(err, broken) {
			t.Errorf("the client that waited got %v", err)
		}
		if err := <-ask(s); !errors.Is(err, broken) {
			t.Errorf("a new client got %v", err)
		}
		r.setBroken(nil)
		r.decide = func(s *Script, number uint32) { s.Settle(number, nil) }
		time.Sleep(mostLoadPause)
		synctest.Wait()
		if err := <-ask(s); err != nil {
			t.Error(err)
		}
	})
}

// A client that does not wait any longer has one answer, and the engine is told.
func TestLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := new(fakeRuntime)
		s := mustOpen(t, r)
		defer s.Close()
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(errors.New("the client left")) })
		if err := s.Decide(ctx, Client{}); err == nil || err.Error() != "no decision of the script: the client left" {
			t.Errorf("got %v", err)
		}
		if number := <-r.last().left; s.Settle(number, nil) {
			t.Error("it has two answers")
		}
	})
}

// A script that cannot be started is an error, and what was begun is closed.
func TestOpenFails(t *testing.T) {
	if s, err := Open("/balancer.js", Options{}, &fakeRuntime{broken: errCrash}); s != nil || !errors.Is(err, errCrash) {
		t.Errorf("got %v and %v", s, err)
	}
}

// A script that is closed keeps the clients out that wait, and those that come.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := mustOpen(t, new(fakeRuntime))
		waits := ask(s)
		synctest.Wait()
		s.Close()
		if err := <-waits; !errors.Is(err, errStopped) {
			t.Errorf("got %v", err)
		}
		if err := <-ask(s); !errors.Is(err, errStopped) {
			t.Errorf("got %v", err)
		}
		s.Close()
	})
}

// A script that is retired decides about the clients that wait, and those that come until it is closed.
func TestRetire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		late := func(s *Script, number uint32) { time.AfterFunc(3*time.Second, func() { s.Settle(number, nil) }) }
		s := mustOpen(t, &fakeRuntime{decide: late})
		waits := ask(s)
		synctest.Wait()
		s.Retire()
		time.Sleep(time.Second)
		if err := <-ask(s); err != nil {
			t.Error(err)
		}
		if err := <-waits; err != nil {
			t.Error(err)
		}
		time.Sleep(3 * time.Second)
		if err := <-ask(s); !errors.Is(err, errStopped) {
			t.Errorf("it is not closed: %v", err)
		}
	})
}

// A script that is not needed any more is closed, whatever happens while it waits for that.
func TestPanicInRetirement(t *testing.T) {
	s := mustOpen(t, new(fakeRuntime))
	panicked := safelytest.Inject(t, "script retirement", 1)
	s.Retire()
	<-s.ctx.Done()
	if n := panicked(); n != 1 {
		t.Errorf("%d panics", n)
	}
	s.Close()
}

// A panic while an engine is started is a failure to start it.
func TestPanicInRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeRuntime{decide: func(s *Script, number uint32) { s.Settle(number, nil) }}
		s := mustOpen(t, r)
		defer s.Close()
		panicked := safelytest.Inject(t, "script restart", 1)
		r.last().fail()
		synctest.Wait()
		if err := <-ask(s); err == nil {
			t.Error("let in while there is no engine")
		}
		time.Sleep(loadPause)
		synctest.Wait()
		if err := <-ask(s); err != nil || panicked() != 1 {
			t.Errorf("got %v after %d panics", err, panicked())
		}
	})
}

// A script that lets go of no client, or of more than belong together, holds nobody up.
func TestForgetBounds(t *testing.T) {
	s := mustOpen(t, new(fakeRuntime))
	defer s.Close()
	for _, number := range []uint32{1, 64, 65, 300} {
		s.guests[number] = new(decision)
	}
	s.Forget(1, 0)
	if n := s.Guests(); n != 4 {
		t.Errorf("%d clients are left of 4", n)
	}
	s.Forget(1, 1<<31)
	if n := s.Guests(); n != 2 {
		t.Errorf("%d clients are left of 2", n)
	}
}
