package embedded

import (
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// A script goes on, or starts anew, after a panic of what runs it. Nobody comes in by that.
func TestPanicInRuntime(t *testing.T) {
	const script = `module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
		while (socket.remoteAddress === '::ffff:192.0.2.66');
		next(socket.remoteAddress === '::ffff:192.0.2.7' && 'on the list');
	});`
	for place, times := range map[string]int64{"script": 1, "script restart": 2, "script watchdog": 3} {
		t.Run(place, func(t *testing.T) {
			b := load(t, decide.Options{RunLimit: shortRun}, script)
			panicked := safelytest.Inject(t, place, times)
			if place == "script restart" {
				b.Want("192.0.2.66", "the script computed for 400ms without a pause")
			}
			for deadline := time.Now().Add(testPatience); panicked() < times; time.Sleep(time.Millisecond) {
				_ = b.Ask("192.0.2.1") // whoever asks while it happens may be blocked
				if time.Now().After(deadline) {
					t.Fatalf("%d panics, want %d", panicked(), times)
				}
			}
			for deadline := time.Now().Add(testPatience); b.Ask("192.0.2.1") != ""; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the script does not start anew")
				}
			}
			b.Want("192.0.2.7", "on the list")
			b.Want("192.0.2.66", "the script computed for 400ms without a pause")
		})
	}
}
