package l4sticky

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/share"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores/storetest"
)

// shareBy has the pool of a config share its sessions by a store.
func shareBy(t testing.TB, v *poolConfig, store *storetest.Store) {
	t.Helper()
	s := &sharing{
		Sharer: share.New(v.name, node.id, node.host, localSessions{v.pool}, &v.counts.store),
		store:  &openStore{Store: store, close: func() {}},
	}
	s.store.refs.Store(1)
	s.met = s.Use(s.store, time.Second)
	if err := <-s.met; err != nil {
		t.Fatal(err)
	}
	v.sharing.Store(s)
}

// TestLastWordsOfAPool are what its sessions are then: the store keeps each for the expiry that the last config had, at the target that the client
// had last.
func TestLastWordsOfAPool(t *testing.T) {
	for _, end := range []string{"destructed", "at exit"} {
		t.Run(end, func(t *testing.T) {
			store := new(storetest.Store)
			v := joinAs(t, newConfig(t), t.Name(), time.Hour, "a:1", "b:1")
			shareBy(t, v, store)
			p := v.pool
			p.enter()
			s, _ := v.acquire(visitor, 0)
			home, members := v.settle(s, visitor, all), v.targets.Members()
			time.Sleep(2 * share.FlushInterval)
			v.quit()
			for _, m := range members {
				if m.Target != home.Target {
					p.sessions.Reach(s, m.Target)
				}
			}
			last, _ := p.sessions.Look(s)
			p.sessions.Release(s)
			if end == "at exit" {
				p.stop = stopTerms{}
				p.end(time.Now())
			}
			p.leave()
			partings.Wait()
			target, holders, left := store.Session(p.name, visitor)
			if target != last.Address.String() || last == home.Target || len(holders) > 0 || left < time.Hour-time.Minute || left > time.Hour {
				t.Errorf("the client is at '%s', live at %v, for %v; its last target is %s and its first one %s", target, holders, left, last.Address, home.Address)
			}
		})
	}
}

// TestAnswersWithoutAConfig do not move clients, which a pool knows nothing of any more.
func TestAnswersWithoutAConfig(t *testing.T) {
	v := joinAs(t, newConfig(t), t.Name(), time.Hour, "a:1")
	p := v.pool
	p.enter()
	defer p.leave()
	if (localSessions{p}).Follow(visitor, "b:1") {
		t.Error("a target that is not there is known")
	}
	v.quit()
	if !(localSessions{p}).Follow(visitor, "b:1") {
		t.Error("the client is moved away from a target that other nodes have")
	}
}

// A hangingStore does not answer.
type hangingStore struct {
	storetest.Store
	Address string `json:"address"` // which tells it from others
}

func (*hangingStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: stores.Namespace + ".hanging", New: func() caddy.Module {
		s := new(hangingStore)
		s.SetFault(func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() })
		return s
	}}
}

func init() { caddy.RegisterModule(new(hangingStore)) }

// TestManyPoolsOfAStoreThatHangs do not each hold up the load of a config.
func TestManyPoolsOfAStoreThatHangs(t *testing.T) {
	ctx, began := newConfig(t), time.Now()
	for n := range 5 {
		options := Options{Pool: fmt.Sprint(t.Name(), n), SessionStoreRaw: json.RawMessage(`{"store":"hanging"}`)}
		if err := options.setDefaults(); err != nil {
			t.Fatal(err)
		}
		v, err := join(ctx, options, []target.Config{{Address: target.Address{Network: "tcp", Dial: "a:1"}, Weight: 1}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer v.quit()
	}
	if took := time.Since(began); took > 2*storeWait {
		t.Errorf("the load took %v", took)
	}
}

// TestStoreChangesWithItsOptions has a reload change the options of a session store, and another one leave them.
func TestStoreChangesWithItsOptions(t *testing.T) {
	var keys []any
	for _, raw := range []string{`{"store":"hanging"}`, `{"store":"hanging"}`, `{"store":"hanging","address":"b"}`} {
		store, err := openSessionStore(newConfig(t), Options{SessionStoreRaw: json.RawMessage(raw)})
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, store.key)
		store.release()
	}
	if keys[0] != keys[1] || keys[0] == keys[2] {
		t.Errorf("the stores are told apart by %v", keys)
	}
}
