package share

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores/storetest"
)

// TestNewClientsOfADistantStore come evenly, and the store answers each request after 15 ms. Hardly any client waits in vain.
func TestNewClientsOfADistantStore(t *testing.T) {
	bubble(t, func(t *testing.T, store *storetest.Store) {
		a := newNode(t, "a", "A")
		a.start(t, store)
		settle()
		store.SetFault(func(context.Context, string) error { time.Sleep(15 * time.Millisecond); return nil })
		before := store.Requests("Update")
		var wg sync.WaitGroup
		const clients = 10000 // in a second
		for n := range clients {
			wg.Go(func() { a.connect(addr(n)) })
			time.Sleep(time.Second / clients)
		}
		wg.Wait()
		late, requests := a.counts.Lookups[Late].Load(), store.Requests("Update")-before
		t.Logf("late %d, requests %d", late, requests)
		if late > clients/100 || requests > 1500 {
			t.Errorf("%d of %d clients got no answer in time, by %d requests", late, clients, requests)
		}
	})
}
