package relay

import (
	"io"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// injectOnce makes the next one panic who reaches a place. Panicked tells how many panics there have been since.
func injectOnce(t *testing.T, place string) (panicked func() int64) {
	t.Helper()
	var done atomic.Bool
	t.Cleanup(safely.Inject(func(reached string) {
		if reached == place && done.CompareAndSwap(false, true) {
			panic("injected")
		}
	}))
	safely.SetReporter(func(string, any, []byte) {})
	before := safely.Panics()
	return func() int64 { return safely.Panics() - before }
}

// awaitPanic waits until somebody has panicked, once.
func awaitPanic(t *testing.T, panicked func() int64) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); panicked() == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody panics")
		}
	}
	if n := panicked(); n != 1 {
		t.Errorf("%d panics", n)
	}
}

// TestPanicWhileListening accepts clients though what accepts them has panicked.
func TestPanicWhileListening(t *testing.T) {
	for _, place := range []string{"accept", "listener", "listening socket", "loop", "loop keeper"} {
		t.Run(place, func(t *testing.T) {
			eachListener(t, func(t *testing.T, listen listenFunc) {
				if strings.HasSuffix(t.Name(), "shared") && place != "accept" {
					t.Skip("it has no such place")
				}
				innocent := kinds["loop"](t, nil)
				panicked := injectOnce(t, place)
				address := freeAddress(t)
				ln := mustListen(t, listen, address)
				conns := serve(ln)
				first := dialTo(t, address)
				awaitPanic(t, panicked)
				_ = first.Close()
				client := dialTo(t, address)
				for conn := range conns {
					if conn.RemoteAddr().String() == client.LocalAddr().String() {
						break
					}
				}
				send(t, innocent.client, "x")
				expect(t, innocent.target, "x")
			})
		})
	}
}

// TestPanicInConn is an error of the connection.
func TestPanicInConn(t *testing.T) {
	address := freeAddress(t)
	conns := serve(mustListen(t, Listen, address))
	client := dialTo(t, address)
	conn := <-conns
	for place, use := range map[string]func([]byte) (int, error){"reading from a client": conn.Read, "writing to a client": conn.Write} {
		panicked := injectOnce(t, place)
		if n, err := use(make([]byte, 5)); n != 0 || err != safely.ErrPanic || panicked() != 1 {
			t.Errorf("%s: %d, %v", place, n, err)
		}
	}
	_, _ = client.Write([]byte("hello"))
	if n, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
		t.Errorf("read %d, %v", n, err)
	}
}

// TestPanicInLookup is an error of the dial.
func TestPanicInLookup(t *testing.T) {
	client, down, route, _ := seekers(t, named{})
	panicked := injectOnce(t, "lookup")
	mustGo(t, down, route)
	expectEnd(t, client)
	<-route.lost
	if _, _, errs := route.log(); len(errs) != 1 || errs[0] != safely.ErrPanic || panicked() != 1 {
		t.Errorf("failed: %v", errs)
	}
}

// TestPanicAtIdlePipes is made up for when pipes are idle the next time.
func TestPanicAtIdlePipes(t *testing.T) {
	if testing.Short() {
		t.Skip("pipes are idle after seconds")
	}
	panicked := injectOnce(t, "idle pipes")
	p := pipes.get(clock())
	if p == nil {
		t.Fatal("no pipe")
	}
	pipes.put(p, true)
	awaitPanic(t, panicked)
	if idlePipes.Load() {
		t.Error("nobody looks for idle pipes any more")
	}
	pipes.closeIdle()
}
