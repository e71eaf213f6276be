package redis

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// A connection outlives the config that made it if the next one has the same options, and is closed with the last one.
func TestConnectionIsSharedOverReloads(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	stores := []*Store{new(Store), new(Store), new(Store)}
	for i, store := range stores {
		store.Addresses, store.KeyPrefix = []string{s.addr()}, []string{"a", "b", "a"}[i]
		if err := store.Provision(caddy.Context{}); err != nil {
			t.Fatal(err)
		}
		if err := try(soon(t), store); err != nil {
			t.Error(err)
		}
		if i > 0 && store.connection != stores[0].connection {
			t.Error("it is another connection")
		}
	}
	for _, store := range stores {
		if err := try(soon(t), store); err != nil {
			t.Error(err)
		}
		if err := store.Cleanup(); err != nil {
			t.Error(err)
		}
	}
	mustFail(t, stores[0], errClosed.Error())
	<-stores[0].connection.ended
	if list := s.cli("CLIENT", "LIST"); strings.Contains(list, clientName) {
		t.Errorf("there are connections:\n%s", list)
	}
}

// A store that was cleaned up ends what is going on, even if its server does not answer.
func TestCleanup(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	l := listen(t, store, "default", "n2")
	if err := try(soon(t), store); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGSTOP)
	pending := make(chan error)
	go func() {
		pending <- store.Update(soon(t), "default", "n1", []stores.Update{{Client: client, Target: targetA, TTL: time.Minute}})
	}()
	await(t, "a pending call", func() bool { return len(store.connection.pending) == 1 })
	began := time.Now()
	store.connection.Destruct()
	if err := <-pending; err == nil {
		t.Error("no error of Update")
	}
	if err := <-l.ended; !errors.Is(err, errClosed) {
		t.Error(err)
	}
	<-store.connection.ended
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %v", took)
	}
	s.signal(syscall.SIGCONT)
}

// A store that was never used has no connection, and one whose cleanup comes first gets none.
func TestUnusedStore(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	s.cli("CONFIG", "RESETSTAT")
	store := new(Store)
	store.Addresses = []string{s.addr()}
	if err := store.Provision(caddy.Context{}); err != nil {
		t.Fatal(err)
	}
	if err := store.Cleanup(); err != nil {
		t.Fatal(err)
	}
	<-store.connection.ended
	mustFail(t, store, errClosed.Error())
	mustFail(t, new(Store), errClosed.Error())
	if stats := s.cli("INFO", "stats"); !strings.Contains(stats, "total_connections_received:1\r\n") { // that of this question
		t.Errorf("there were connections: %s", stats)
	}
}

// A call whose context has ended already does nothing.
func TestEndedContext(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	if err := try(soon(t), store); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := try(ctx, store); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := store.Listen(ctx, "default", "n1", func(stores.News) { t.Error("news") }); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
