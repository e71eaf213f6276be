package session

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// idle returns what a client's session is that has been idle since a time.
func idle(client int, since time.Duration) Info[string] {
	return Info[string]{Client: addr(client), Target: "kept", Since: since, IdleSince: since}
}

// mustBeInOrder looks at the idle lists, and at what the table believes about them.
func mustBeInOrder(t *testing.T, table *Table[string]) {
	t.Helper()
	sessions := 0
	for i := range table.shards {
		sh := &table.shards[i]
		sh.mu.Lock()
		oldest := never
		if s := sh.head(); s != nil {
			oldest = int64(s.idleSince)
		}
		if got := sh.oldest.Load(); got != oldest {
			t.Errorf("shard %d: the oldest session is taken for idle since %d, want %d", i, got, oldest)
		}
		for s := sh.idle.next; s != &sh.idle; s = s.next {
			if s.next != &sh.idle && s.next.idleSince < s.idleSince || s.next.prev != s {
				t.Errorf("shard %d: a session that is idle since %v stands before one since %v", i, s.idleSince, s.next.idleSince)
			}
		}
		sessions += sh.sessions.count
		sh.mu.Unlock()
	}
	if table.Len() != sessions {
		t.Errorf("the table counts %d sessions, but has %d", table.Len(), sessions)
	}
}

func TestRestoredSessionIsAsItWas(t *testing.T) {
	table, clock := newTable(10)
	clock.advance(time.Hour)
	want := Info[string]{Client: addr(1), Target: "kept", Moved: true, Since: -time.Minute, IdleSince: clock.now() - expiry/2}
	mapped := want
	mapped.Client = netip.AddrFrom16(addr(1).As16())
	if got := table.Restore([]Info[string]{mapped}); got != 1 {
		t.Fatalf("restored %d sessions", got)
	}
	if got, found := table.Peek(addr(1)); !found || got != want {
		t.Errorf("the session is %+v, want %+v", got, want)
	}
	clock.advance(expiry/2 - time.Millisecond)
	s := table.Acquire(addr(1))
	if target, settled := table.Look(s); target != "kept" || !settled {
		t.Errorf("the client is at %q, settled: %v", target, settled)
	}
	if home := table.Return(s, func() string { return "home" }); home != "home" {
		t.Errorf("the client that had left its target returns to %q", home)
	}
	table.Release(s)
}

func TestRestoreLeavesOut(t *testing.T) {
	table, clock := newTable(10)
	clock.advance(time.Hour)
	now := clock.now()
	live := table.Acquire(addr(1))
	defer table.Release(live)
	visit(table, addr(2), "here")
	for name, info := range map[string]Info[string]{
		"a client with connections": idle(1, now),
		"a client with a session":   idle(2, now),
		"no target":                 {Client: addr(3), IdleSince: now},
		"no client":                 {Target: "kept", IdleSince: now},
		"expired at this moment":    idle(4, now-expiry),
	} {
		if got := table.Restore([]Info[string]{info}); got != 0 || table.Len() != 2 {
			t.Errorf("%s: restored %d sessions, the table has %d", name, got, table.Len())
		}
	}
	if got := table.Restore([]Info[string]{idle(5, now-2), idle(5, now-1), idle(5, now-3)}); got != 1 {
		t.Errorf("of three sessions of a client %d were restored", got)
	}
	if info, _ := table.Peek(addr(5)); info.IdleSince != now-1 {
		t.Errorf("of three sessions the one is restored that is idle since %v, want that which expires last", info.IdleSince)
	}
}

// TestRestoredSessionExpires also has one that claims to become idle later: it lives for the expiry and no longer.
func TestRestoredSessionExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var ended []string
		table := NewWithHooks(func() time.Duration { return time.Since(began) }, expiry, 10, Hooks[string]{Observe: func(e Event[string]) {
			if e.Kind == Expired {
				ended = append(ended, fmt.Sprint(e.Client, " ", time.Since(began)))
			}
		}})
		visit(table, addr(3), "here") // has set the timer for a later time
		table.Restore([]Info[string]{idle(1, -expiry/2), idle(2, time.Hour)})
		time.Sleep(expiry + time.Second)
		synctest.Wait()
		want := []string{"10.0.0.1 15s", "10.0.0.2 30s", "10.0.0.3 30s"}
		if slices.Sort(ended); !slices.Equal(ended, want) {
			t.Errorf("expired: %v, want %v", ended, want)
		}
	})
}

// TestRestoreIntoAFullTable keeps what is there, and of the rest what expires last.
func TestRestoreIntoAFullTable(t *testing.T) {
	table, clock := newTable(5)
	clock.advance(time.Hour)
	now := clock.now()
	visit(table, addr(1), "here")
	live := table.Acquire(addr(2))
	place(table, live, "here")
	if got := table.Restore([]Info[string]{idle(10, now-4), idle(1, now), idle(11, now-1), idle(12, now-3), idle(13, now-2)}); got != 3 {
		t.Errorf("restored %d sessions, want 3", got)
	}
	for client, want := range map[int]bool{1: true, 2: true, 10: false, 11: true, 12: true, 13: true} {
		if _, found := table.Peek(addr(client)); found != want {
			t.Errorf("client %d has a session: %v, want %v", client, found, want)
		}
	}
	if got := table.Restore([]Info[string]{idle(20, now)}); got != 0 || table.Len() != 5 {
		t.Errorf("restored %d sessions into a full table, which has %d", got, table.Len())
	}
	visit(table, addr(30), "new")
	if _, found := table.Peek(addr(12)); found {
		t.Error("another session than the oldest made room for a new client")
	}
	table.Release(live)
	mustBeInOrder(t, table)
	clock.advance(expiry)
	if got := table.Restore([]Info[string]{idle(40, clock.now())}); got != 1 || table.Len() != 1 {
		t.Errorf("restored %d sessions into a table whose sessions are all expired, and which has %d", got, table.Len())
	}
}

// TestRestoreAmongIdleSessions mixes sessions of many ages, several times, and has them expire one by one.
func TestRestoreAmongIdleSessions(t *testing.T) {
	const clients = 4 * restoreBatch
	table, clock := newTable(2 * clients)
	at := make(map[int]time.Duration)
	clock.advance(time.Hour)
	client := 0
	for range 4 {
		var infos []Info[string]
		for range clients / 8 {
			clock.advance(time.Microsecond)
			at[client] = clock.now()
			visit(table, addr(client), "here")
			client++
		}
		for range clients / 8 {
			at[client] = clock.now() - time.Duration(rand.Int64N(int64(time.Second)))
			infos = append(infos, idle(client, at[client]))
			client++
		}
		if got := table.Restore(infos); got != len(infos) {
			t.Fatalf("restored %d of %d sessions", got, len(infos))
		}
		mustBeInOrder(t, table)
	}
	clock.advance(expiry - 500*time.Millisecond)
	table.expire()
	for n, since := range at {
		_, found := table.Peek(addr(n))
		if want := since+expiry > clock.now(); found != want {
			t.Fatalf("the session that is idle since %v is there: %v, want %v at %v", since, found, want, clock.now())
		}
	}
}

// TestRestoreGoesOnWhereItWas has the session behind which the next one would go leave between two slices, or come back.
func TestRestoreGoesOnWhereItWas(t *testing.T) {
	for name, interrupt := range map[string]func(*Table[string], *clock, netip.Addr){
		"nothing happens": func(*Table[string], *clock, netip.Addr) {},
		"its client has a connection": func(table *Table[string], _ *clock, client netip.Addr) {
			table.Acquire(client)
		},
		"its client has had one": func(table *Table[string], clock *clock, client netip.Addr) {
			clock.advance(time.Second)
			visit(table, client, "here")
		},
		"it is forgotten": func(table *Table[string], _ *clock, client netip.Addr) {
			table.Forget(func(i Info[string]) bool { return i.Client == client })
		},
		"all are forgotten": func(table *Table[string], _ *clock, _ netip.Addr) { table.Clear() },
	} {
		t.Run(name, func(t *testing.T) {
			table, clock := newTable(1_000_000)
			clock.advance(time.Hour)
			var group []*Session[string]
			for n := 0; len(group) < 3*restoreSize; n++ {
				if hash := table.hash(addr(n)); hash%shardCount == 0 {
					since := clock.now() - time.Duration(len(group)+1)*time.Millisecond
					group = append(group, &Session[string]{client: addr(n), target: "kept", idleSince: since, refs: reached, hash: hash})
				}
			}
			for n, s := range group[len(group)-2:] { // which are there already, and stay behind all others
				s.idleSince -= time.Duration(n+1) * time.Second
				table.Restore([]Info[string]{{Client: s.client, Target: "kept", IdleSince: s.idleSince}})
			}
			sh, g := &table.shards[0], new(gap[string])
			for rest := group; len(rest) > 0; {
				done, added := table.restoreSlice(sh, g, rest)
				table.size.Add(int64(added))
				rest = rest[done:]
				interrupt(table, clock, g.at.client)
			}
			mustBeInOrder(t, table)
		})
	}
}

// TestRestoreWhileSessionsComeAndGo has clients take restored sessions out of the idle list while others go in.
func TestRestoreWhileSessionsComeAndGo(t *testing.T) {
	const clients = 20_000
	began := time.Now()
	table := New[string](func() time.Duration { return time.Since(began) }, time.Hour, clients)
	var all sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					visit(table, addr(rand.IntN(clients)), "here")
				}
			}
		})
	}
	for range 2 {
		all.Go(func() {
			for range 20 {
				infos := make([]Info[string], 2000)
				for i := range infos {
					infos[i] = idle(rand.IntN(clients), table.now()-time.Duration(rand.Int64N(int64(time.Minute))))
				}
				table.Restore(infos)
				table.Forget(func(Info[string]) bool { return rand.IntN(4) == 0 })
			}
		})
	}
	time.AfterFunc(2*time.Second, func() { close(done) })
	all.Wait()
	mustBeInOrder(t, table)
}
