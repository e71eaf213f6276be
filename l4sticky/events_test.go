package l4sticky

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-sticky/caddy-sticky/internal/freeport"
)

func init() {
	caddy.RegisterModule(new(eventRecorder))
}

// An eventRecorder is a handler of events that keeps them.
type eventRecorder struct {
	// Stuck has it wait for the end of the config at each event.
	Stuck bool `json:"stuck,omitempty"`
}

// recorded are all events that recorders were given.
var recorded struct {
	sync.Mutex
	events []caddy.Event
}

func (*eventRecorder) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.sticky_recorder", New: func() caddy.Module { return new(eventRecorder) }}
}

func (r *eventRecorder) Handle(ctx context.Context, e caddy.Event) error {
	recorded.Lock()
	recorded.events = append(recorded.events, e)
	recorded.Unlock()
	if r.Stuck {
		<-ctx.Done()
	}
	return nil
}

// eventsNamed returns what was recorded of a pool under a name.
func eventsNamed(pool, name string) (found []map[string]any) {
	recorded.Lock()
	defer recorded.Unlock()
	for _, e := range recorded.events {
		if e.Name() == name && e.Data["pool"] == pool {
			found = append(found, e.Data)
		}
	}
	return found
}

// awaitEvent waits until an event has come for the nth time, from 1 on, and returns its data.
func awaitEvent(t *testing.T, pool, name string, nth int) map[string]any {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if found := eventsNamed(pool, name); len(found) >= nth {
			return found[nth-1]
		}
		if time.Now().After(deadline) {
			recorded.Lock()
			defer recorded.Unlock()
			t.Fatalf("no event %s has come, but %v", name, recorded.events)
		}
	}
}

// runConfig has Caddy run a config with a sticky_proxy, whose options are given, and with these subscriptions, until the test ends.
func runConfig(t *testing.T, listen, pool, subscriptions string, options map[string]any) {
	t.Helper()
	options["handler"], options["pool"] = "sticky_proxy", pool
	handler, err := json.Marshal(options)
	if err != nil {
		t.Fatal(err)
	}
	config := fmt.Sprintf(`{
		"admin": {"disabled": true, "config": {"persist": false}},
		"logging": {"logs": {"default": {"level": "ERROR"}}},
		"apps": {%s "layer4": {"servers": {"s": {"listen": [%q], "routes": [{"handle": [%s]}]}}}}
	}`, subscriptions, listen, handler)
	if err := caddy.Load([]byte(config), true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
}

// subscribed is an app that records all events of this project.
const subscribed = `"events": {"subscriptions": [{"modules": ["layer4"], "handlers": [{"handler": "sticky_recorder"}]}]},`

// greetAt runs a target that greets, at an address, until it is stopped or the test ends.
func greetAt(t *testing.T, address string) (at string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	stop = func() { _ = ln.Close() }
	t.Cleanup(stop)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(conn, "hello")
			_ = conn.Close()
		}
	}()
	return ln.Addr().String(), stop
}

// greeting is what a client is greeted with, or nothing if the connection is closed.
func greeting(t *testing.T, listen string) string {
	t.Helper()
	conn, err := net.Dial("tcp", listen)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	text := make([]byte, 5)
	n, _ := io.ReadFull(conn, text)
	return string(text[:n])
}

// Handlers of events are told of a target that fails and comes back, of the client that moves, and of an upstream that is removed.
func TestEvents(t *testing.T) {
	home, stop := greetAt(t, "127.0.0.1:0")
	spare, _ := greetAt(t, "127.0.0.1:0")
	listen, pool := freeport.Addr(t), t.Name()
	options := map[string]any{
		"upstreams":    []any{map[string]any{"dial": home}, map[string]any{"dial": spare, "backup": true}},
		"health_check": map[string]any{"type": "tcp", "interval": "100ms", "rise": 1, "fall": 1},
	}
	runConfig(t, listen, pool, subscribed, options)
	if got := greeting(t, listen); got != "hello" {
		t.Fatalf("got %q", got)
	}
	stop()
	failed := awaitEvent(t, pool, "upstream_check_failed", 1)
	if failed["upstream"] != home || failed["address"] != home || !strings.Contains(fmt.Sprint(failed["reason"]), "refused") {
		t.Errorf("upstream_check_failed has the data %v", failed)
	}
	if got := greeting(t, listen); got != "hello" {
		t.Fatalf("got %q", got)
	}
	moved := awaitEvent(t, pool, "session_moved", 1)
	if fmt.Sprint(moved["client"]) != "127.0.0.1" || moved["from"] != home || moved["to"] != spare || !strings.Contains(fmt.Sprint(moved["reason"]), "checks") {
		t.Errorf("session_moved has the data %v", moved)
	}
	greetAt(t, home)
	passed := awaitEvent(t, pool, "upstream_check_passed", 1)
	since, _ := passed["since"].(time.Time)
	if lasted, _ := passed["down_for"].(time.Duration); lasted <= 0 || time.Since(since) < lasted {
		t.Errorf("upstream_check_passed has the data %v", passed)
	}
	if err := (poolTargets{}).Deactivate(pool, home); err != nil {
		t.Fatal(err)
	}
	if deactivated := awaitEvent(t, pool, "upstream_deactivated", 1); deactivated["upstream"] != home || deactivated["duration"] != time.Minute || deactivated["reason"] != errDeactivated.Error() {
		t.Errorf("upstream_deactivated has the data %v", deactivated)
	}
	options["upstreams"] = []any{map[string]any{"dial": home}}
	runConfig(t, listen, pool, subscribed, options)
	if removed := awaitEvent(t, pool, "upstream_removed", 1); removed["upstream"] != spare || removed["sessions_idle"] != int64(1) || removed["connections"] != int64(0) {
		t.Errorf("upstream_removed has the data %v", removed)
	}
	for name, times := range map[string]int{"upstream_check_failed": 1, "session_moved": 1, "upstream_check_passed": 1, "upstream_deactivated": 1, "upstream_removed": 1} {
		if n := len(eventsNamed(pool, name)); n != times {
			t.Errorf("%d events %s", n, name)
		}
	}
}

// A handler that does not return holds nothing up but the events behind its own, of which so many wait. It ends with its config, and
// so do those events.
func TestStuckEventHandler(t *testing.T) {
	at, _ := greetAt(t, "127.0.0.1:0")
	listen, pool := freeport.Addr(t), t.Name()
	options := map[string]any{"upstreams": []any{map[string]any{"dial": at}}}
	runConfig(t, listen, pool, strings.Replace(subscribed, `"sticky_recorder"`, `"sticky_recorder", "stuck": true`, 1), options)
	c := newestConfig(pool)
	core, log := observer.New(zapcore.WarnLevel)
	logger := c.logger
	c.logger = zap.New(core)
	c.tell(addressAppeared)
	awaitEvent(t, pool, "address_appeared", 1)
	for range 3 * maxEvents {
		c.tell(addressAppeared)
	}
	if got := greeting(t, listen); got != "hello" {
		t.Errorf("a client got %q", got)
	}
	c.events.lines.Flush()
	dropped := 0
	for _, line := range log.All() {
		if n, ok := line.ContextMap()["events"].(int64); ok {
			dropped += int(n)
		} else if strings.Contains(line.Message, "an event is dropped") {
			dropped++
		}
	}
	if log.Len() != 2 || dropped != 2*maxEvents {
		t.Errorf("%d lines tell of %d events that were dropped", log.Len(), dropped)
	}
	c.logger = logger
	runConfig(t, listen, pool, subscribed, options)
	newestConfig(pool).tell(addressLeft)
	awaitEvent(t, pool, "address_left", 1)
	for deadline := time.Now().Add(20 * time.Second); c.events.isBusy(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the handler outlives its config")
		}
	}
	if n := len(eventsNamed(pool, "address_appeared")); n != 1 {
		t.Errorf("the handler was told of %d events", n)
	}
}

func (e *emitter) isBusy() bool {
	e.waitingMu.Lock()
	defer e.waitingMu.Unlock()
	return e.busy
}

// Without a handler nothing is put together, and no goroutine runs.
func TestUnwantedEvents(t *testing.T) {
	at, _ := greetAt(t, "127.0.0.1:0")
	for name, subscriptions := range map[string]string{
		"no app":             "",
		"another event":      `"events": {"subscriptions": [{"events": ["other"], "handlers": [{"handler": "sticky_recorder"}]}]},`,
		"session_moved only": `"events": {"subscriptions": [{"events": ["session_moved"], "handlers": [{"handler": "sticky_recorder"}]}]},`,
	} {
		t.Run(name, func(t *testing.T) {
			pool := t.Name()
			runConfig(t, freeport.Addr(t), pool, subscriptions, map[string]any{"upstreams": []any{map[string]any{"dial": at}}})
			c := newestConfig(pool)
			c.tell(addressAppeared) // has it look for handlers
			for deadline := time.Now().Add(20 * time.Second); !c.events.known.Load() || c.events.isBusy(); time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("it is not known who is subscribed")
				}
			}
			if wanted := c.events.wants(sessionMoved); wanted != (name == "session_moved only") {
				t.Errorf("session_moved is wanted: %v", wanted)
			}
			if c.tell(addressAppeared); c.events.isBusy() {
				t.Error("a goroutine runs for an event without handlers")
			}
			if n := len(eventsNamed(pool, "address_appeared")); n != 0 {
				t.Errorf("%d events have come", n)
			}
		})
	}
}
