//go:build linux

package hostile

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// soon is how long it may take until innocent clients are decided about again. The promise is a second, which a test on a busy
// machine cannot hold it to.
const soon = 10 * time.Second

// share says that of the scripts that take much time, a runtime runs one of so many, and each runtime others. All run if the
// variable HOSTILE_ALL is set.
const share = 4

// chosen returns the names of the scripts that run in a runtime.
func chosen(runtime string, all map[string]hostile, everything bool) []string {
	everything = everything || os.Getenv("HOSTILE_ALL") != ""
	turn := slices.Index(slices.Sorted(maps.Keys(runtimes)), runtime)
	var names []string
	for i, name := range slices.Sorted(maps.Keys(all)) {
		if (everything || i%share == turn) && (runtime == "node" || !all[name].node) {
			names = append(names, name)
		}
	}
	return names
}

// attack runs a hostile script: the client who triggers it is kept out, a banned one is never let in, innocent ones that come
// meanwhile and afterwards are let in, soon.
func attack(t *testing.T, runtime, name string, o decide.Options, h hostile, measured *figures) {
	t.Run(name, func(t *testing.T) {
		b := open(t, runtime, o, h)
		begun := time.Now()
		stop := b.besiege(t)
		err := b.ask(guilty, patience)
		took := time.Since(begun)
		switch {
		case err == nil && !h.next:
			t.Error("the client was let in")
		case errors.Is(err, errPatience):
			t.Error("there was no decision about the client")
		}
		begun = time.Now()
		for _, host := range []string{innocent, slow} {
			if err := b.ask(host, patience); err != nil {
				t.Errorf("afterwards, %s was kept out: %v", host, err)
			}
		}
		again := time.Since(begun)
		stop()
		if err := b.ask(banned, patience); err == nil || errors.Is(err, errPatience) {
			t.Errorf("afterwards, banned: %v", err)
		}
		if again > soon {
			t.Errorf("innocent clients were decided about again after %v", again)
		}
		measured.note("the guilty client", name, took)
		measured.note("innocent ones afterwards", name, again)
	})
}

// besiege has clients come all the time, until stop is called.
func (b *box) besiege(t *testing.T) (stop func()) {
	over := make(chan struct{})
	var wait sync.WaitGroup
	for _, host := range []string{innocent, slow, banned} {
		wait.Go(func() {
			for {
				err := b.ask(host, patience)
				switch {
				case host == banned && (err == nil || !strings.HasSuffix(err.Error(), "banned")):
					t.Errorf("meanwhile, banned: %v", err)
				case host != banned && err != nil:
					t.Errorf("meanwhile, %s was kept out: %v", host, err)
				}
				select {
				case <-over:
					return
				case <-time.After(10 * time.Millisecond):
				}
			}
		})
	}
	return func() {
		close(over)
		wait.Wait()
	}
}

func attacks(t *testing.T, runtime string, all map[string]hostile, names []string) {
	measured := new(figures)
	for _, name := range names {
		attack(t, runtime, name, decide.Options{RunLimit: runLimit}, all[name], measured)
	}
	t.Log(measured)
}

// What computes without end is stopped.
func TestComputing(t *testing.T) {
	perRuntime(t, func(t *testing.T, runtime string) {
		attacks(t, runtime, computing, chosen(runtime, computing, false))
	})
}

// What ends the engine is the fault of the client for whom it did.
func TestDying(t *testing.T) {
	perRuntime(t, func(t *testing.T, runtime string) {
		attacks(t, runtime, dying, chosen(runtime, dying, true))
	})
}

// What throws, or answers strangely, is about the one client, and the engine goes on.
func TestThrowing(t *testing.T) {
	perRuntime(t, func(t *testing.T, runtime string) {
		b := load(t, runtime, decide.Options{RunLimit: patience}, throwingScript())
		stop := b.besiege(t)
		defer stop()
		for i, name := range slices.Sorted(maps.Keys(throwing)) {
			if err := b.ask(fmt.Sprintf("198.18.0.%d", i), patience); err == nil && !throwing[name].next {
				t.Errorf("%s: the client was let in", name)
			} else if errors.Is(err, errPatience) {
				t.Errorf("%s: there was no decision about the client", name)
			}
		}
		if strings.Contains(b.log.String(), "starts anew") {
			t.Error("the script was started anew")
		}
	})
}

// throwingScript does for each of many clients something else.
func throwingScript() string {
	script := "module.exports.run = (balancer) => balancer.addMiddleware('connection', (socket, next) => {\n" +
		"switch (socket.remoteAddress) {\n" +
		"case '::ffff:" + banned + "': return next('banned');\n"
	for i, name := range slices.Sorted(maps.Keys(throwing)) {
		script += fmt.Sprintf("case '::ffff:198.18.0.%d': {\n%s\n} break;\n", i, throwing[name].code)
	}
	return script + "default: next();\n} });"
}

// Whatever becomes of what the script shares with its engine, a banned client is not let in, and each gets an answer.
func TestPoisoning(t *testing.T) {
	perRuntime(t, func(t *testing.T, runtime string) {
		for _, name := range chosen(runtime, poisoning, false) {
			h := poisoning[name]
			t.Run(name, func(t *testing.T) {
				b := open(t, runtime, decide.Options{RunLimit: runLimit}, hostile{code: h.code + "\nnext('poisoned');"})
				if err := b.ask(guilty, patience); err == nil || errors.Is(err, errPatience) {
					t.Errorf("the guilty client: %v", err)
				}
				for range 3 {
					if err := b.ask(banned, patience); err == nil || errors.Is(err, errPatience) {
						t.Errorf("the banned client: %v", err)
					}
					if err := b.ask(innocent, patience); errors.Is(err, errPatience) {
						t.Errorf("an innocent client: %v", err)
					} else if err != nil {
						t.Logf("an innocent client: %v", err)
					}
				}
			})
		}
	})
}
