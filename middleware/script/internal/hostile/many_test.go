//go:build linux

package hostile

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// deaths are how a script ends by itself, while it works for no client.
var deaths = map[string]string{
	"embedded": "for (;;) all.push(new Uint8Array(1e6).fill(1));",
	"node":     "process.exit(1);",
}

// deadly are what some clients have a script do.
var deadly = []hostile{
	{code: "for (;;);"},
	{code: "for (;;) all.push(new Uint8Array(1e6).fill(1));"},
	{code: "(function f() { try { f(); } finally { f(); } })();"},
	{code: "process.abort();", node: true},
	{code: "process.kill(process.pid, 'SIGKILL');", node: true},
}

const (
	clients  = 10_000
	together = 250 // of them that wait
)

// A script that dies every second, by itself and because of some clients, lets none of 10,000 clients in who is to be kept out,
// and keeps none of the others out.
func TestDeaths(t *testing.T) {
	perRuntime(t, func(t *testing.T, runtime string) {
		var ways []string
		for _, h := range deadly {
			if !h.node || runtime == "node" {
				ways = append(ways, "() => { "+h.code+" }")
			}
		}
		// Every tenth client is to be kept out, and about half of the clients the script decides later.
		b := load(t, runtime, decide.Options{MemoryLimit: 32 << 20, RunLimit: 500 * time.Millisecond}, `
			const all = [], ways = [`+strings.Join(ways, ", ")+`];
			module.exports.run = (balancer) => {
				setTimeout(() => { `+deaths[runtime]+` }, 1000);
				balancer.addMiddleware('connection', (socket, next) => {
					const [, network, , number] = socket.remoteAddress.split('.').map(Number), answer = () => next(number % 10 === 0 && 'banned');
					if (network === 51) ways[number](); else if (number % 2) answer(); else setTimeout(answer, number);
				});
			};`)
		var wait sync.WaitGroup
		wait.Go(func() { survive(t, b) })
		for i := range ways {
			time.Sleep(600 * time.Millisecond)
			host := fmt.Sprintf("198.51.100.%d", i)
			if err := b.ask(host, patience); err == nil || errors.Is(err, errPatience) {
				t.Errorf("%s: %v", host, err)
			}
		}
		wait.Wait()
		if died := strings.Count(b.log.String(), "starts anew"); died < 3 {
			t.Errorf("the script died %d times", died)
		} else {
			t.Logf("the script died %d times", died)
		}
	})
}

// survive has clients come and checks what becomes of them.
func survive(t *testing.T, b *box) {
	var longest figures
	var group errgroup.Group
	group.SetLimit(together)
	for i := range clients {
		group.Go(func() error {
			host := fmt.Sprintf("198.18.%d.%d", i/250, i%250)
			asked := time.Now()
			switch err := b.ask(host, patience); {
			case i%10 == 0 && (err == nil || err.Error() != "banned"):
				return fmt.Errorf("%s is to be kept out, but: %v", host, err)
			case i%10 != 0 && err != nil:
				return fmt.Errorf("%s was kept out: %w", host, err)
			}
			longest.note("a client waited", host, time.Since(asked))
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		t.Error(err)
	}
	if waited := longest.most["a client waited"]; waited > soon {
		t.Errorf("a client waited for %v", waited)
	}
	t.Log(&longest)
}
