package middleware_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
	"github.com/caddy-sticky/caddy-sticky/middleware"
)

// Whatever of ours panics while a client is decided about keeps that client out and no other.
func TestPanicWhileDeciding(t *testing.T) {
	patient := func(ctx context.Context, client *middleware.Client) error {
		if client.GetVar("slow") == nil {
			return nil
		}
		<-ctx.Done()
		return nil
	}
	for place, reason := range map[string]string{
		"middleware":       "",
		"middleware chain": "it ended without a decision",
		"middleware look":  safely.ErrPanic.Error(),
	} {
		t.Run(place, func(t *testing.T) {
			var slow atomic.Bool
			slow.Store(place == "middleware look")
			set("marks", func(_ context.Context, client *middleware.Client) error {
				if slow.CompareAndSwap(true, false) {
					client.SetVar("slow", true)
				}
				return nil
			})
			set("patient", patient)
			address := serve(t, route(matcher("", "marks", "patient"), "hello"))
			panicked := safelytest.InjectOnce(t, place)
			if answer, _ := ask(t, address, ""); answer != "" {
				t.Errorf("a client got %q", answer)
			}
			safelytest.AwaitPanic(t, panicked)
			if reason != "" {
				if got := blocks(t, 1)[0]["reason"]; got != reason {
					t.Errorf("blocked because of %q, want %q", got, reason)
				}
			}
			must(t, address, "", "hello")
		})
	}
}

// A client that is kept out is so all the same, if ending its connection in order fails.
func TestPanicInDismissal(t *testing.T) {
	set("closed", deny("closed"))
	address := serve(t, route(matcher("", "closed"), "hello"))
	panicked := safelytest.InjectOnce(t, "dismissal")
	for range 2 {
		if answer, _ := ask(t, address, ""); answer != "" {
			t.Errorf("a client got %q", answer)
		}
	}
	safelytest.AwaitPanic(t, panicked)
}

// The panic of a middleware is counted, in the registry of each config.
func TestPanicsAreCounted(t *testing.T) {
	set("faulty", func(context.Context, *middleware.Client) error { panic("oh no") })
	address := serve(t, route(matcher("", "faulty"), "never"), route("", "hello"))
	before := safely.Panics()
	must(t, address, "", "hello")
	if n := safely.Panics() - before; n != 1 {
		t.Errorf("%d panics are counted", n)
	}
	metrics, err := newestRegistry.Load().Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range metrics {
		if m.GetName() == "caddy_sticky_panics_total" {
			if got := m.GetMetric()[0].GetCounter().GetValue(); got != float64(safely.Panics()) {
				t.Errorf("%v panics are counted in the registry", got)
			}
			return
		}
	}
	t.Error("the registry counts no panics")
}
