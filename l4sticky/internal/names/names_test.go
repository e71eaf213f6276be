package names

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func addrs(list ...string) (all []netip.Addr) {
	for _, a := range list {
		all = append(all, netip.MustParseAddr(a))
	}
	return all
}

// An address stays for the hold time after the last answer that had it; nothing but an answer makes one leave.
func TestTracker(t *testing.T) {
	tracker := NewTracker(netip.Addr.Compare)
	for _, step := range []struct {
		at                   time.Duration
		answer               []netip.Addr
		appeared, left, want []netip.Addr
	}{
		{0, addrs("10.0.0.2", "10.0.0.1"), addrs("10.0.0.1", "10.0.0.2"), nil, addrs("10.0.0.1", "10.0.0.2")},
		{10 * time.Second, addrs("10.0.0.2", "10.0.0.3"), addrs("10.0.0.3"), nil, addrs("10.0.0.1", "10.0.0.2", "10.0.0.3")},
		{59 * time.Second, addrs("10.0.0.2"), nil, nil, addrs("10.0.0.1", "10.0.0.2", "10.0.0.3")},
		{60 * time.Second, addrs("10.0.0.2"), nil, addrs("10.0.0.1"), addrs("10.0.0.2", "10.0.0.3")},
		{500 * time.Second, nil, nil, nil, addrs("10.0.0.2", "10.0.0.3")},
		{501 * time.Second, addrs("::1"), addrs("::1"), addrs("10.0.0.2", "10.0.0.3"), addrs("::1")},
		{561 * time.Second, addrs("10.0.0.2"), addrs("10.0.0.2"), addrs("::1"), addrs("10.0.0.2")},
	} {
		appeared, left, _ := tracker.Answer(step.at, time.Minute, step.answer)
		if got := tracker.All(); !slices.Equal(appeared, step.appeared) || !slices.Equal(left, step.left) || !slices.Equal(got, step.want) {
			t.Errorf("at %v: appeared %v, left %v, all %v; want %v, %v, %v", step.at, appeared, left, got, step.appeared, step.left, step.want)
		}
	}
}

// A hold of zero takes the last answer as it is.
func TestTrackerWithoutHold(t *testing.T) {
	tracker := NewTracker(netip.Addr.Compare)
	tracker.Answer(1, 0, addrs("10.0.0.1"))
	if _, left, _ := tracker.Answer(1, 0, addrs("10.0.0.2")); len(left) != 0 {
		t.Errorf("left at the same time: %v", left)
	}
	tracker.Answer(2, 0, addrs("10.0.0.2"))
	if got := tracker.All(); !slices.Equal(got, addrs("10.0.0.2")) {
		t.Errorf("got %v", got)
	}
}

// A setting that changes is a change of what is there already. Of two in one answer the first counts.
func TestTrackerOfSettings(t *testing.T) {
	type setting struct{ name, value string }
	tracker := NewTracker(func(a, b setting) int { return strings.Compare(a.name, b.name) })
	for _, step := range []struct {
		answer  []setting
		changed bool
		want    []setting
	}{
		{[]setting{{"b", "1"}, {"a", "1"}, {"a", "2"}}, true, []setting{{"a", "1"}, {"b", "1"}}},
		{[]setting{{"a", "1"}}, false, []setting{{"a", "1"}, {"b", "1"}}},
		{[]setting{{"a", "2"}}, true, []setting{{"a", "2"}, {"b", "1"}}},
	} {
		_, _, changed := tracker.Answer(1, time.Minute, step.answer)
		if got := tracker.All(); changed != step.changed || !slices.Equal(got, step.want) {
			t.Errorf("%v: changed %v, all %v; want %v, %v", step.answer, changed, got, step.changed, step.want)
		}
	}
}

// A look-up that finds something and fails for the rest counts as both.
func TestPartialAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeResolver{answer: addrs("10.0.0.1"), err: errors.New("another one is wrong")}
		failed := 0
		w := NewWatch(tenSeconds, netip.Addr.Compare, r.lookup, Events[netip.Addr]{Changed: func(_, _, _ []netip.Addr) {}, Failed: func(error) { failed++ }})
		<-w.First()
		if got := w.All(); failed != 1 || !slices.Equal(got, addrs("10.0.0.1")) {
			t.Errorf("%d failures, got %v", failed, got)
		}
		w.Close()
		synctest.Wait()
	})
}

// fakeResolver answers what it is told, which a real one doesn't.
type fakeResolver struct {
	mu     sync.Mutex
	answer []netip.Addr
	err    error
	asked  int
	slow   time.Duration
}

func (r *fakeResolver) lookup(ctx context.Context) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.asked++
	select {
	case <-time.After(r.slow):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return r.answer, r.err
}

func (r *fakeResolver) set(answer []netip.Addr, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer, r.err = answer, err
}

func (r *fakeResolver) times() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

type wakeup chan struct{}

func (w wakeup) Wake() { w <- struct{}{} }

var tenSeconds = Times{Interval: 10 * time.Second, Hold: time.Minute}

// A failed look-up changes nothing and is told; the name is looked up at its interval, and when that is asked for.
func TestWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeResolver{answer: addrs("10.0.0.1")}
		var failures []error
		var changes int
		w := NewWatch(tenSeconds, netip.Addr.Compare, r.lookup, Events[netip.Addr]{
			Changed: func(all, appeared, left []netip.Addr) { changes++ },
			Failed:  func(err error) { failures = append(failures, err) },
		})
		<-w.First()
		if got := w.All(); !slices.Equal(got, addrs("10.0.0.1")) || changes != 1 {
			t.Errorf("got %v after %d changes", got, changes)
		}
		r.set(nil, errors.New("down"))
		time.Sleep(11 * time.Second)
		synctest.Wait()
		r.set(nil, nil)
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if len(failures) < 2 || failures[0].Error() != "down" || !errors.Is(failures[len(failures)-1], ErrNoAddress) {
			t.Errorf("failures %v", failures)
		}
		if got := w.All(); !slices.Equal(got, addrs("10.0.0.1")) {
			t.Errorf("got %v after failures", got)
		}
		r.set(addrs("10.0.0.1", "10.0.0.2"), nil)
		time.Sleep(2 * MinPause)
		synctest.Wait()
		before, woken := r.times(), make(wakeup, 1)
		w.Refresh(woken)
		<-woken
		if got := w.All(); !slices.Equal(got, addrs("10.0.0.1", "10.0.0.2")) || r.times() != before+1 {
			t.Errorf("got %v after %d look-ups", got, r.times()-before)
		}
		for range 100 {
			w.Refresh(nil)
			synctest.Wait()
		}
		if n := r.times() - before; n > 2 {
			t.Errorf("%d look-ups at once", n)
		}
		w.Close()
		synctest.Wait()
		if w.Refresh(nil) {
			t.Error("a closed watch looks names up")
		}
	})
}

// The look-ups of many names share the moments at which they begin, each at about its interval.
func TestLookupsTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const count, lookups = 100, 6
		var mu sync.Mutex
		moments := make(map[time.Duration]int)
		began := time.Now()
		lookup := func(context.Context) ([]netip.Addr, error) {
			mu.Lock()
			defer mu.Unlock()
			moments[time.Since(began)]++
			return addrs("10.0.0.1"), nil
		}
		var watches []*Watch[netip.Addr]
		for range count {
			watches = append(watches, NewWatch(tenSeconds, netip.Addr.Compare, lookup, Events[netip.Addr]{Changed: func(_, _, _ []netip.Addr) {}}))
		}
		time.Sleep(lookups * 11 * time.Second)
		mu.Lock()
		sum := 0
		for _, n := range moments {
			sum += n
		}
		if sum < count*lookups || sum > count*(lookups+2) || len(moments) > int(lookups*11*time.Second/together) {
			t.Errorf("%d look-ups at %d moments", sum, len(moments))
		}
		mu.Unlock()
		for _, w := range watches {
			w.Close()
		}
		synctest.Wait()
	})
}

// A resolver that does not answer delays only who waits for it, and not for ever.
func TestSlowResolver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeResolver{slow: time.Hour}
		failed := 0
		w := NewWatch(tenSeconds, netip.Addr.Compare, r.lookup, Events[netip.Addr]{Failed: func(error) { failed++ }})
		began := time.Now()
		<-w.First()
		if took := time.Since(began); took != LookupTimeout || failed != 1 {
			t.Errorf("%d failures after %v", failed, took)
		}
		w.Close()
		synctest.Wait()
		if failed != 1 {
			t.Error("a look-up that was broken off is told as a failure")
		}
	})
}

// A panic in what is told ends neither the process nor the watch.
func TestPanicInWatch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &fakeResolver{answer: addrs("10.0.0.1")}
		w := NewWatch(tenSeconds, netip.Addr.Compare, r.lookup, Events[netip.Addr]{Changed: func(_, _, _ []netip.Addr) { panic("injected") }})
		<-w.First()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if r.times() < 2 {
			t.Error("the name is not looked up any more")
		}
		w.Close()
		synctest.Wait()
	})
}
