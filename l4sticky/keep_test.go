package l4sticky

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/certmagic"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/persist"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A memoryStorage keeps what is stored, and may be made to fail or to wait.
type memoryStorage struct {
	certmagic.Storage // for what is not used

	mu     sync.Mutex
	values map[string][]byte
	stores int
	err    error
	gate   chan struct{} // nil, or what Load waits for
	loaded chan struct{} // nil, or receives a value when Load is called
}

func newMemoryStorage() *memoryStorage { return &memoryStorage{values: make(map[string][]byte)} }

func (s *memoryStorage) Store(_ context.Context, key string, value []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stores++
	if s.err == nil {
		s.values[key] = value
	}
	return s.err
}

func (s *memoryStorage) Load(_ context.Context, key string) ([]byte, error) {
	if s.loaded != nil {
		s.loaded <- struct{}{}
	}
	if s.gate != nil {
		<-s.gate
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	value, found := s.values[key]
	switch {
	case s.err != nil:
		return nil, s.err
	case !found:
		return nil, fs.ErrNotExist
	}
	return value, nil
}

func (s *memoryStorage) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.values, key)
	return nil
}

func (s *memoryStorage) List(_ context.Context, prefix string, _ bool) (keys []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.values {
		if strings.HasPrefix(key, prefix+"/") {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

func (s *memoryStorage) keys() (all []string) {
	all, _ = s.List(context.Background(), "sticky", true)
	slices.Sort(all)
	return all
}

// joinKept is joinAs for a config that keeps sessions.
func joinKept(t testing.TB, storage certmagic.Storage, pool string, expiry time.Duration, addresses ...string) *poolConfig {
	t.Helper()
	c := joinAs(t, newConfig(t), pool, expiry, addresses...)
	c.settings.options.Persist, c.settings.options.PersistInterval = true, caddy.Duration(time.Hour)
	c.keepIn(storage)
	return c
}

// leaveKept ends a pool and waits until its sessions are written.
func leaveKept(t testing.TB, c *poolConfig) {
	t.Helper()
	c.quit()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	lastWrites.awaitAll(ctx)
	if ctx.Err() != nil {
		t.Fatal("the sessions are not written")
	}
}

func left(t testing.TB, c *poolConfig, client string) time.Duration {
	t.Helper()
	info, found := c.sessions.Peek(netip.MustParseAddr(client))
	if !found || info.Live() {
		return 0
	}
	return time.Duration(*c.sessionStatus(info).ExpiresIn * float64(time.Second))
}

// TestKeptExpiry has what a client keeps whose connection was open when the sessions were written: at a stop, and at a time when it may have gone
// on for an interval.
func TestKeptExpiry(t *testing.T) {
	storage := newMemoryStorage()
	v := joinKept(t, storage, t.Name(), time.Minute, "a:1")
	s, _ := v.acquire(visitor, 0)
	v.settle(s, visitor, all)
	for longest, want := range map[time.Duration]time.Duration{0: time.Minute, time.Hour: time.Hour + time.Minute} {
		now := time.Now()
		file, err := persist.Open(v.name, v.kept.encode(now, longest))
		if err != nil {
			t.Fatal(err)
		}
		for s := range file.Sessions() {
			if got := s.Expires.Sub(now).Round(time.Second); got != want {
				t.Errorf("longest %v: it expires in %v, want %v", longest, got, want)
			}
		}
	}
	v.sessions.Release(s)
	leaveKept(t, v)

	v = joinKept(t, storage, t.Name(), time.Minute, "a:1")
	if got := left(t, v, visitor.String()); got > time.Minute || got < 50*time.Second {
		t.Errorf("the session expires in %v", got)
	}
	leaveKept(t, v)
	v = joinKept(t, storage, t.Name(), 10*time.Second, "a:1")
	if got := left(t, v, visitor.String()); got > 10*time.Second || got < 5*time.Second {
		t.Errorf("with a shorter session_expiry the session expires in %v", got)
	}
	v.quit()
}

// TestKeptClockJumps has sessions that were written by a clock that was wrong, in either way.
func TestKeptClockJumps(t *testing.T) {
	v := joinKept(t, newMemoryStorage(), t.Name(), time.Minute, "a:1")
	defer v.quit()
	data := func(wrong time.Duration) []byte {
		w := persist.NewWriter(1)
		now := time.Now().Add(wrong)
		w.Add(persist.Session{Client: visitor, Target: "a:1", Expires: now.Add(time.Minute), Since: now})
		return w.Bytes(v.name, now)
	}
	if n, err := v.kept.decode(data(-time.Hour), time.Now()); err != nil || n != (restoreCounts{expired: 1}) {
		t.Errorf("a clock that was late: %+v, %v", n, err)
	}
	if n, err := v.kept.decode(data(100*365*24*time.Hour), time.Now()); err != nil || n != (restoreCounts{restored: 1}) {
		t.Errorf("a clock that was early: %+v, %v", n, err)
	}
	if got := left(t, v, visitor.String()); got > time.Minute {
		t.Errorf("the session expires in %v, which is above the session_expiry", got)
	}
}

// TestSlowStorage loads a config though the storage does not answer, and restores the sessions when it does, beside those that have
// begun meanwhile.
func TestSlowStorage(t *testing.T) {
	storage := newMemoryStorage()
	v := joinKept(t, storage, t.Name(), time.Minute, "a:1", "b:1")
	other := netip.MustParseAddr("192.0.2.77")
	v.restoreSessions([]keptSession{{client: visitor, target: "a:1", expiresIn: time.Minute}, {client: other, target: "a:1", expiresIn: time.Minute}})
	leaveKept(t, v)
	if len(storage.keys()) != 1 {
		t.Fatalf("the storage has %q", storage.keys())
	}

	storage.gate = make(chan struct{})
	began := time.Now()
	v = joinKept(t, storage, t.Name(), time.Minute, "a:1", "b:1")
	if took := time.Since(began); took < keptWait || took > keptWait+5*time.Second {
		t.Errorf("loading took %v, want %v", took, keptWait)
	}
	s, _ := v.acquire(visitor, 0)
	v.settle(s, visitor, func(m *target.Member) bool { return m.Address.Dial == "b:1" })
	v.sessions.Release(s)
	close(storage.gate)
	v.keeper.storing.Lock() // the restorer has it until it is done
	for client, want := range map[netip.Addr]string{visitor: "b:1", other: "a:1"} {
		if info, found := v.sessions.Peek(client); !found || info.Target.Address.Dial != want {
			t.Errorf("%v is at %+v, want %s", client, info.Target, want)
		}
	}
	v.keeper.storing.Unlock()
	leaveKept(t, v)
}

// TestRefusedConfigKeepsNothing has a config that ends before it has come to run, and one that was only validated.
func TestRefusedConfigKeepsNothing(t *testing.T) {
	for cause, want := range map[string]int{"configuration error: no": 0, "configuration start error: no": 0, "validation complete": 0, "stopping apps": 1} {
		storage := newMemoryStorage()
		ctx, cancel := caddy.NewContextWithCause(caddy.Context{Context: context.Background()})
		c := joinAs(t, ctx, t.Name(), time.Minute, "a:1")
		c.settings.options.Persist, c.settings.options.PersistInterval = true, caddy.Duration(time.Hour)
		c.keepIn(storage)
		cancel(errors.New(cause))
		leaveKept(t, c)
		if storage.stores != want {
			t.Errorf("%s: stored %d times, want %d", cause, storage.stores, want)
		}
	}
}

// TestFailingStorage writes again and again, and ends.
func TestFailingStorage(t *testing.T) {
	storage := newMemoryStorage()
	storage.err = errors.New("read-only")
	v := joinKept(t, storage, t.Name(), time.Minute, "a:1")
	for range 3 {
		v.keepDue()
	}
	leaveKept(t, v)
	if storage.stores != 4 {
		t.Errorf("stored %d times, want 4", storage.stores)
	}
}

// TestLastWriteComesFirst has a pool begin anew while its sessions are still being written.
func TestLastWriteComesFirst(t *testing.T) {
	written := lastWrites.begin(t.Name())
	restored := make(chan struct{})
	storage := newMemoryStorage()
	storage.loaded = make(chan struct{}, 1)
	var v *poolConfig
	go func() {
		defer close(restored)
		v = joinKept(t, storage, t.Name(), time.Minute, "a:1")
	}()
	w := persist.NewWriter(1)
	w.Add(persist.Session{Client: visitor, Target: "a:1", Expires: time.Now().Add(time.Minute), Since: time.Now()})
	select {
	case <-storage.loaded:
		t.Error("the sessions are read while they are written")
	case <-time.After(100 * time.Millisecond):
	}
	_ = storage.Store(context.Background(), storageKey(t.Name()), w.Bytes(t.Name(), time.Now()))
	written()
	<-restored
	defer v.quit()
	if left(t, v, visitor.String()) == 0 {
		t.Error("the session is not restored")
	}
}

func TestSafeName(t *testing.T) {
	seen := make(map[string]string)
	for _, text := range []string{
		"", ".", "..", "a", "A", "a/b", "a%2fb", "localhost:8000", "10.0.0.1:80", "a~b", `a\b`, "é", "a.", ".a", strings.Repeat("x", 1000),
		strings.Repeat("x", 1000) + "y", strings.Repeat("é", 100),
	} {
		name := safeName(text)
		if other, twice := seen[name]; twice {
			t.Errorf("%q and %q are both %q", text, other, name)
		}
		seen[name] = text
		if name != strings.ToLower(name) || strings.ContainsAny(name, `/\:~ "`) || len(name) > longestName || strings.Trim(name, ".") != name {
			t.Errorf("%q: %q is not safe", text, name)
		}
	}
	if got, want := storageKey("10.0.0.1:80"), fmt.Sprintf("sticky/sessions/%s/10.0.0.1%%3a80", safeName(node.host)); got != want {
		t.Errorf("the key is %q, want %q", got, want)
	}
}

// TestPanicsOfTheKeeper are those of a read, after which the pool begins without, and of a write, after which the next one comes.
func TestPanicsOfTheKeeper(t *testing.T) {
	storage := newMemoryStorage()
	panicked := safelytest.InjectOnce(t, "persist")
	v := joinKept(t, storage, t.Name(), time.Minute, "a:1")
	safelytest.AwaitPanic(t, panicked)
	panicked = safelytest.InjectOnce(t, "persist")
	safely.Do("test", v.keepDue)
	if panicked() != 1 || storage.stores != 0 || !v.keeper.timer.Reset(time.Hour) {
		t.Errorf("%d panics, stored %d times, and no timer is set", panicked(), storage.stores)
	}
	v.keepDue()
	leaveKept(t, v)
	if storage.stores != 2 {
		t.Errorf("stored %d times, want 2", storage.stores)
	}
}
