package integration

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// The same scripts run on LoadBalancer.js and on ours, side by side: every behaviour of its middlewares,
// and where it misbehaves, what we do instead.

// What a client can see of a decision.
const (
	served = "a\n"    // the target's greeting
	twice  = "a\na\n" // two of them, of two connections to the target
	closed = "closed" // an orderly end, without a byte
	hangs  = "hangs"  // neither a byte nor an end
)

// visit is a client and what becomes of it.
type visit struct{ ip, legacy, ours string }

// both is a visit that ends in the same way on both.
func both(ip, end string) visit { return visit{ip, end, end} }

type comparison struct {
	script string
	visits []visit
	// together has all clients come at the same time.
	together bool
	// reasons are those of the clients that both block, in the order of the visits.
	reasons []string
	// log is what our log must say besides.
	log []string
}

var comparisons = []comparison{
	{
		script: "answers.js",
		visits: []visit{
			both("127.0.0.1", served), both("127.0.0.2", served), both("127.0.0.3", served), both("127.0.0.4", served), both("127.0.0.5", served),
			both("127.0.0.6", closed), both("127.0.0.7", closed), both("127.0.0.8", closed), both("127.0.0.9", closed), both("127.0.0.10", closed),
		},
		reasons: []string{"text", "an error", "[object Object]", "true", "1"},
	},
	{
		script: "chain.js",
		visits: []visit{both("127.0.0.2", closed), both("127.0.0.3", closed), both("127.0.0.4", served), both("127.0.0.2", closed)},
		reasons: []string{
			"third blocks number 101 after first second third",
			"fourth blocks after first second third first second third fourth",
			"third blocks number 104 after first second third first second third fourth first second third fourth first second third",
		},
	},
	{
		script:   "later.js",
		together: true,
		visits:   []visit{both("127.0.0.2", closed), both("127.0.0.3", served), both("127.0.0.4", served)},
		reasons:  []string{"two of three are enough"},
	},
	{
		script: "faults.js",
		visits: []visit{
			{"127.0.0.2", hangs, closed}, // a client that hangs for ever is closed here
			{"127.0.0.3", hangs, closed},
			{"127.0.0.4", twice, served}, // and one that was let in twice is served once
			both("127.0.0.5", closed),
			{"127.0.0.6", hangs, closed},
			both("127.0.0.7", served),
		},
		reasons: []string{"blocked first"},
		log:     []string{"thrown at once", "thrown later", "no decision in time"},
	},
	{
		script: "socket.js",
		visits: []visit{both("127.0.0.2", closed)},
		reasons: []string{`{"remoteAddress":"::ffff:127.0.0.2","remoteFamily":"IPv6","remotePort":"number","localAddress":"::ffff:127.0.0.1",` +
			`"localPort":"number","own":{"kept":true},"isSocket":true,"isEmitter":true,"methods":[],"destroyed":false,"bare":false}`},
		log: []string{"closed ::ffff:127.0.0.2"},
	},
	{
		script: "node.js",
		visits: []visit{both("127.0.0.2", closed)},
		reasons: []string{"2 42 node.js scripts b 38 false true 6 true true x:7 {\"a\":1} { a: [ 'b' ] } string 1 z a=b&a=c " +
			"11f6ad8ec52a2984abaafd7c3b516503785c2072 w47ciBXISJ9kc4l49EAI+FljRVRfC6po72/PXFPlcYk= c3a9 127.0.0.1 ready string true function 2 nullish  18446744073709551616"},
	},
	{
		script: "packages.js",
		visits: []visit{
			both("127.0.0.2", closed), both("127.0.0.3", closed), both("127.0.0.4", served), both("127.0.0.200", closed), both("127.0.1.7", closed),
		},
		reasons: []string{
			"127.0.0.2 is in range; private 2001:db8:0:0:0:0:0:1", "127.0.0.3 is in range; private 2001:db8:0:0:0:0:0:1",
			"127.0.0.200 is in range; private 2001:db8:0:0:0:0:0:1", "127.0.1.7 matches",
		},
	},
	{
		script:  "balancer.js",
		visits:  []visit{both("127.0.0.2", closed), {"127.0.0.3", hangs, closed}},
		reasons: []string{"connection true function function function function function function function function"},
		log:     []string{"noticed connection true", "failed to be noticed", ": to be noticed"},
	},
}

func TestScriptsSideBySide(t *testing.T) {
	t.Parallel()
	for _, c := range comparisons {
		t.Run(strings.TrimSuffix(c.script, ".js"), func(t *testing.T) {
			t.Parallel()
			script, err := filepath.Abs(filepath.Join("node", "scripts", c.script))
			if err != nil {
				t.Fatal(err)
			}
			legacyTarget := startTarget(t, "a", greet("a"))
			legacy := startLegacy(t, script, legacyTarget)
			sides := []*side{startSide(t, "", script), startSide(t, "node", script)}

			var wait sync.WaitGroup
			for _, v := range c.visits {
				wait.Go(func() {
					mustEndLike(t, "LoadBalancer.js", v.ip, legacy.addr, v.legacy)
					for _, ours := range sides {
						mustEndLike(t, ours.name, v.ip, ours.listen, v.ours)
					}
				})
				if !c.together {
					wait.Wait()
				}
			}
			wait.Wait()
			if got := legacy.notices(t, len(c.reasons)); !slices.Equal(got, c.reasons) {
				t.Errorf("LoadBalancer.js noticed\n%q\nwant\n%q", got, c.reasons)
			}
			mustDial(t, "LoadBalancer.js", legacyTarget, c.visits, func(v visit) string { return v.legacy })
			for _, ours := range sides {
				if got := reasonsOf(ours.caddy.Log(), c.reasons); !slices.Equal(got, c.reasons) {
					t.Errorf("the reasons of %s are\n%q\nwant\n%q", ours.name, got, c.reasons)
				}
				for _, want := range c.log {
					await(t, ours.name+" says "+want, func() bool { return strings.Contains(ours.caddy.Log(), want) })
				}
				mustDial(t, ours.name, ours.target, c.visits, func(v visit) string { return v.ours })
			}
		})
	}
}

// side is ours with a script in one of its runtimes.
type side struct {
	name, listen string
	caddy        *balancerProcess
	target       *target
}

// startSide runs ours with a script in a runtime, or, if that is not named, as people do who come with their config.json.
func startSide(t testing.TB, runtime, script string) *side {
	t.Helper()
	s := &side{name: "ours " + runtime, target: startTarget(t, "a", greet("a"))}
	if runtime == "" {
		s.caddy, s.listen = startScripted(t, script, s.target)
		return s
	}
	s.listen = freeAddr(t)
	s.caddy = startCaddy(t, guarded(s.listen, "script "+script+" {\nruntime "+runtime+"\n}", s.target))
	return s
}

// startScripted runs ours with a config.json that names the script.
func startScripted(t testing.TB, script string, targets ...*target) (caddy *balancerProcess, listen string) {
	t.Helper()
	port := freePort(t)
	config := filepath.Join(t.TempDir(), "config.json")
	var list []string
	for _, target := range targets {
		list = append(list, fmt.Sprintf(`{"host": "127.0.0.1", "port": %d}`, portOf(target.addr)))
	}
	text := fmt.Sprintf(`{"sourcePort": %d, "balancerControllerPath": %q, "targets": [%s]}`, port, script, strings.Join(list, ", "))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return startWith(t, config, "loadbalancer"), fmt.Sprintf("127.0.0.1:%d", port)
}

// mustEndLike visits an address and fails unless it ends like that.
func mustEndLike(t testing.TB, whose, ip, addr, want string) {
	t.Helper()
	conn := dialFrom(t, ip, addr)
	limit := patience
	if want == hangs {
		limit = 500 * time.Millisecond
	}
	_ = conn.SetReadDeadline(time.Now().Add(limit))
	got := make([]byte, 100)
	n, err := conn.Read(got)
	if n > 0 { // whatever comes beside the greeting comes soon
		_ = conn.SetReadDeadline(time.Now().Add(300 * time.Millisecond))
		var more int
		more, err = io.ReadFull(conn, got[n:])
		n += more
	}
	end := string(got[:n])
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		end = closed
	case n == 0 && errors.Is(err, os.ErrDeadlineExceeded):
		end = hangs
	case !errors.Is(err, os.ErrDeadlineExceeded):
		end += err.Error()
	}
	if end != want {
		t.Errorf("%s: %s: got %q, want %q", whose, ip, end, want)
	}
}

// mustDial fails unless the target got the connections of those who were served and no other.
func mustDial(t testing.TB, whose string, target *target, visits []visit, end func(visit) string) {
	t.Helper()
	var want int64
	for _, v := range visits {
		want += int64(strings.Count(end(v), served))
	}
	if got := target.accepted.Load(); got != want {
		t.Errorf("%s: %d dials, want %d", whose, got, want)
	}
}

var reasonInLog = regexp.MustCompile(`"reason":("(?:[^"\\]|\\.)*")`)

// reasonsOf returns those reasons in a log that are wanted, in their order.
func reasonsOf(log string, wanted []string) (reasons []string) {
	for _, match := range reasonInLog.FindAllStringSubmatch(log, -1) {
		var reason string
		if json.Unmarshal([]byte(match[1]), &reason) == nil && slices.Contains(wanted, reason) {
			reasons = append(reasons, reason)
		}
	}
	return reasons
}
