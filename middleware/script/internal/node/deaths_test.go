//go:build unix

package node

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

func TestDeaths(t *testing.T) {
	t.Parallel()
	for fault, want := range map[string]string{
		`process.exit();`:        "the script's process ended: exit status 0",
		`process.exit(3);`:       "the script's process ended: exit status 3",
		`process.reallyExit(4);`: "the script's process ended: exit status 4",
		`process.abort();`:       "the script's process ended: signal: aborted",
		`process.kill(process.pid, 'SIGKILL'); for (;;);`:                                         "the script's process ended: signal: killed",
		`setTimeout(() => process.exit(5), 1);`:                                                   "the script's process ended: exit status 5",
		`(async () => { await null; process.exit(6); })();`:                                       "the script's process ended: exit status 6",
		`require('fs').readFile(__filename, () => process.exit(7));`:                              "the script's process ended: exit status 7",
		`process.nextTick(() => process.exit(8));`:                                                "the script's process ended: exit status 8",
		`require('dns').lookup('127.0.0.1', () => process.exit(9));`:                              "the script's process ended: exit status 9",
		`require('child_process').spawn('sleep', ['3'], { stdio: 'inherit' }); process.exit(10);`: "the script's process ended: exit status 10",
		`require('fs').closeSync(4); console.log('x');`:                                           "the script's process ended: signal: killed",
		`require('fs').closeSync(6); setTimeout(next, 1);`:                                        "the script's process ended: ",
		`require('fs').writeSync(4, 'garbage'); for (;;);`:                                        "the host sent a frame of the unknown kind 103",
		`require('fs').writeSync(4, Buffer.from([5, 1, 0, 0, 0, 255, 255, 255, 255])); for (;;);`: "the host sent a text of 4294967295 bytes",
	} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			b := guilty(t, decide.Options{}, fault)
			others := make(chan []string)
			go func() { others <- b.Together(20) }()
			if got := b.Ask("192.0.2.66"); !strings.HasPrefix(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if reasons := strings.Join(<-others, ""); reasons != "" {
				t.Errorf("others: %s", reasons)
			}
			b.Log.Await(t, "the script was stopped and starts anew")
			b.Want("192.0.2.1", "")
		})
	}
}

func TestDeathsForNoClient(t *testing.T) {
	t.Parallel()
	b := run(t, decide.Options{}, `
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			if (socket.remoteAddress === '::ffff:192.0.2.66') return unowned.push(1);
			setTimeout(next, 20);
		});
		const unowned = [];
		setInterval(() => unowned.length && process.exit(1), 100);`)
	others := make(chan []string)
	go func() { others <- b.Together(20) }()
	b.Want("192.0.2.66", "the script's process ended: exit status 1")
	if reasons := strings.Join(<-others, ""); reasons != "" {
		t.Errorf("others: %s", reasons)
	}
	b.Want("192.0.2.1", "")
}

func TestStoppedProcess(t *testing.T) {
	b := run(t, decide.Options{RunLimit: shortRun}, `console.log('pid ' + process.pid + '.');
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			if (socket.remoteAddress === '::ffff:192.0.2.66') require('fs').closeSync(3);
			next();
		});`)
	if err := syscall.Kill(loggedPID(t, b.Log), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if reasons := strings.Join(b.Together(20), ""); reasons != "" {
		t.Errorf("got %s", reasons)
	}
	b.Log.Await(t, "the script computed for 2s without a pause")
	b.Want("192.0.2.66", "")
	b.Want("192.0.2.1", "")
}

func TestDiesAgainAndAgain(t *testing.T) {
	t.Parallel()
	clients := int64(10000)
	if testing.Short() {
		clients = 3000
	}
	b := run(t, decide.Options{}, `
		setTimeout(() => process.exit(1), 1000);
		module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {
			if (/[.]77$/.test(socket.remoteAddress)) return void setTimeout(() => process.exit(2), 1);
			setTimeout(next, 20, /[02468]$/.test(socket.remoteAddress) && 'even');
		});`)
	var next, wrong, longest atomic.Int64
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			for n := next.Add(1); n <= clients; n = next.Add(1) {
				want := []string{"even", ""}[n%2]
				if n%256 == 77 {
					want = "the script's process ended: exit status 2"
				}
				began := time.Now()
				if got := b.Ask(fmt.Sprintf("10.0.%d.%d", n/256, n%256)); got != want && wrong.Add(1) < 5 {
					t.Errorf("client %d: got %q, want %q", n, got, want)
				}
				for took := time.Since(began).Milliseconds(); ; {
					if old := longest.Load(); took <= old || longest.CompareAndSwap(old, took) {
						break
					}
				}
			}
		})
	}
	wait.Wait()
	deaths := strings.Count(b.Log.String(), "starts anew")
	t.Logf("%d wrong, %d deaths, the longest wait was %d ms", wrong.Load(), deaths, longest.Load())
	if wrong.Load() > 0 || deaths < 3 {
		t.Error("that is not as it should be")
	}
}

func TestPanics(t *testing.T) {
	for _, place := range []string{"script answers", "script requests", "script watchdog", "script end"} {
		t.Run(place, func(t *testing.T) {
			b := run(t, decide.Options{}, `console.log('pid ' + process.pid + '.');
				exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => setTimeout(next, 50));`)
			pid := loggedPID(t, b.Log)
			panicked := safelytest.Inject(t, place, 1)
			if place == "script end" {
				b.engine.process.kill()
			}
			b.Want("192.0.2.1", "")
			b.Log.Await(t, "starts anew")
			awaitGone(t, pid)
			b.Want("192.0.2.1", "")
			if n := panicked(); n != 1 {
				t.Errorf("%d panics", n)
			}
		})
	}
}
