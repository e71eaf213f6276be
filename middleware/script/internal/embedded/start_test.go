package embedded

import (
	"context"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// An engine can be ended before it has begun.
func TestStartEnds(t *testing.T) {
	b := open(t, "next();")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 20 {
		if e, err := NewRuntime().Start(ctx, b.Script); err == nil {
			e.Shut(context.Canceled)
		}
	}
}

// A system that has not the memory for an engine is an error.
func TestTooMuchMemory(t *testing.T) {
	_, err := tryLoad(t, decide.Options{MemoryLimit: 1 << 60}, map[string]string{"balancer.js": "exports.run = () => {};"})
	if err == nil || !strings.Contains(err.Error(), "reserve memory for a script") {
		t.Errorf("got %v", err)
	}
}

// What is said of errors is bounded, and is not the engine's memory, which ends with it.
func TestLongErrors(t *testing.T) {
	const long = `throw Object.assign(new Error('€'.repeat(1e5)), { name: '€'.repeat(1e5) });`
	part := strings.Repeat("€", 1000) + "…"
	want := part + ": " + part
	if _, err := tryLoad(t, decide.Options{}, map[string]string{"balancer.js": long}); err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("not loaded: %.100s… of %d bytes", err, len(err.Error()))
	}
	b := guilty(t, decide.Options{}, long)
	ctx, cancel := context.WithTimeout(t.Context(), testPatience)
	defer cancel()
	err := b.Decide(ctx, client("192.0.2.66"))
	b.Close()
	if err == nil || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("not decided: %.100s… of %d bytes", err, len(err.Error()))
	}
}

// A timer keeps its number when it starts again.
func TestTimerNumber(t *testing.T) {
	expressions(t, nil, ``, [][2]string{
		{`new Promise((done) => { const t = setTimeout(() => done('fired'), 20), n = +t; t.refresh(); clearTimeout(n); setTimeout(() => done('stopped'), 60); })`, `"stopped"`},
	})
}
