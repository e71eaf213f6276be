package redis

import (
	"context"
	"errors"
	"net/netip"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

// A listener is a call of Listen.
type listener struct {
	news  chan stores.News
	ended chan error
	end   context.CancelFunc
}

// listen calls Listen, and waits until nothing is missed from then on.
func listen(t testing.TB, store *Store, pool, node string) *listener {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	l := &listener{make(chan stores.News, 10_000), make(chan error, 1), end}
	go func() { l.ended <- store.Listen(ctx, pool, node, func(n stores.News) { l.news <- n }) }()
	t.Cleanup(end)
	if first := l.next(t); first != (stores.News{}) {
		t.Fatalf("the first news are %+v", first)
	}
	return l
}

func (l *listener) next(t testing.TB) stores.News {
	t.Helper()
	select {
	case n := <-l.news:
		return n
	case err := <-l.ended:
		t.Fatal(err)
	case <-time.After(20 * time.Second):
		t.Fatal("there are no news")
	}
	return stores.News{}
}

// A node hears of what others have changed, and of nothing else.
func TestNews(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	own, other := open(t, "", s), open(t, `{"tls_server_name": ""}`, s)
	l := listen(t, own, "default", "own")
	zoned := netip.MustParseAddr("fe80::1%eth0")
	for _, node := range []string{"own", "the other"} {
		for _, u := range []stores.Update{
			{Client: client, Target: targetA},                          // new
			{Client: client, Target: targetB},                          // is at another one
			{Client: client, Target: targetA, Live: true},              // as it was
			{Client: client, Target: targetB, Replaces: targetA},       // moves
			{Client: client, Target: targetA, Replaces: targetA},       // does not
			{Client: zoned, Target: "unix//a b"},                       // new
			{Client: zoned, Target: "unix//a b%", Any: true},           // moves
			{Client: client, Replaces: targetA},                        // stays
			{Client: client, Replaces: targetB},                        // is forgotten
			{Client: client, Any: true},                                // is forgotten already
			{Client: zoned, Any: true},                                 // is forgotten
			{Client: client, Target: targetB, Replaces: targetA},       // new
			{Client: client, Replaces: targetB, TTL: time.Duration(1)}, // is forgotten
		} {
			u.TTL = time.Minute
			update(t, other, node, u)
		}
		for i, setting := range []string{"drain", "", "weight 5 §\n"} {
			for _, missing := range []bool{false, true} {
				if err := other.Set(t.Context(), "default", node, "t"+strconv.Itoa(i)+" %", setting, missing); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for _, garbage := range []string{"", "session", "session x", "session x y z", "setting x", "setting  ", "setting a b", "\x00", "session a 10.1.2 b", "x y z a"} {
		s.cli("PUBLISH", "sticky:default:news", garbage)
	}
	update(t, other, "the other", stores.Update{Client: client, Target: targetA, TTL: time.Minute})
	if err := other.Update(t.Context(), "another", "x", []stores.Update{{Client: client, Target: targetA, TTL: time.Minute}, {Client: client, Any: true, TTL: time.Minute}}); err != nil {
		t.Fatal(err)
	}
	update(t, other, "the other", stores.Update{Client: client, Any: true, TTL: time.Minute})
	for i, want := range []stores.News{
		{Client: client, Target: targetB},
		{Client: zoned, Target: "unix//a b%"},
		{Client: client},
		{Client: zoned},
		{Client: client},
		{Target: "t0 %", Setting: "drain"},
		{Target: "t1 %"},
		{Target: "t2 %", Setting: "weight 5 §\n"},
		{Client: client},
	} {
		if got := l.next(t); got != want {
			t.Errorf("news %d: %+v", i, got)
		}
	}
	l.end()
	if err := <-l.ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	await(t, "that the subscription is over", func() bool { return s.cli("PUBSUB", "NUMSUB", "sticky:default:news") == "sticky:default:news\n0" })
}

// A lost connection ends the subscription, and another one can follow once the server is back.
func TestListenEndsWithItsConnection(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	store := open(t, "", s)
	l := listen(t, store, "default", "own")
	s.kill()
	if err := <-l.ended; err == nil {
		t.Error("no error")
	}
	if err := store.Listen(soon(t), "default", "own", func(stores.News) { t.Error("news without a server") }); err == nil {
		t.Error("no error without a server")
	}
	s.start()
	l = listen(t, store, "default", "own")
	await(t, "an update", func() bool {
		return store.Update(t.Context(), "default", "other", []stores.Update{{Client: client, Target: targetA, TTL: time.Minute}, {Client: client, Any: true, TTL: time.Minute}}) == nil
	})
	if got := l.next(t); got != (stores.News{Client: client}) {
		t.Errorf("%+v", got)
	}
	s.cli("CLIENT", "KILL", "TYPE", "pubsub")
	if err := <-l.ended; err == nil {
		t.Error("no error")
	}
}

// A server that has stopped answering ends the subscription as well.
func TestListenNoticesSilence(t *testing.T) {
	t.Parallel()
	s := startServer(t)
	l := listen(t, open(t, "", s), "default", "own")
	s.signal(syscall.SIGSTOP)
	defer s.signal(syscall.SIGCONT)
	select {
	case err := <-l.ended:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(10 * time.Second):
		t.Error("it is not noticed")
	}
}
