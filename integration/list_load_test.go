package integration

import (
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	listSessions = flag.Int("list.sessions", 5000, "how many sessions TestListUnderLoad lists")
	listRate     = flag.Int("list.rate", 200, "how many connections a second it has served meanwhile")
	listTurns    = flag.Int("list.turns", 2, "how often it measures with and without a list, by turns")
	listTurn     = flag.Duration("list.turn", 2*time.Second, "how long each turn lasts")
	listPause    = flag.Duration("list.pause", 0, "how long it waits between two pages, so that its own work takes no more of the machine than that of somebody elsewhere")
	listSlower   = flag.Float64("list.slower", 0, "how many times as long the slowest percent of connections may take with a list, in the middle of the turns; 0 does not look")
)

// TestListUnderLoad lists all sessions page by page again and again while connections are served. Each session must come in each list,
// once, and no connection may be lost. How long connections take is measured with and without that by turns.
func TestListUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	l := listLoad{listen: freeAddr(t)}
	options := fmt.Sprintf("session_expiry 10h\nmax_sessions %d\n", 2**listSessions)
	l.caddy = startCaddy(t, caddyfile(server{"seamless/" + l.listen, "proxy_protocol {\nallow 127.0.0.0/8\ntimeout 5s\n}\n" + sticky(options, greeters(t, 2)...)}))
	began := time.Now()
	l.fill()
	t.Logf("%d sessions after %v, %d connections lost; %d KiB", *listSessions, time.Since(began).Round(time.Second), l.lost.Load(), l.caddy.residentKB(t))
	var alone, beside []time.Duration
	for range *listTurns {
		alone = append(alone, l.turn(t, "alone", func(end time.Time) { time.Sleep(time.Until(end)) }))
		beside = append(beside, l.turn(t, "beside lists", func(end time.Time) { l.list(t, end) }))
	}
	if lost := l.lost.Load(); lost > 0 {
		t.Errorf("%d connections were lost", lost)
	}
	slices.Sort(alone)
	slices.Sort(beside)
	middle, with := alone[len(alone)/2], beside[len(beside)/2]
	t.Logf("p99 in the middle of the turns: %v alone, %v beside lists", middle, with)
	if *listSlower > 0 && float64(with) > *listSlower*float64(middle) {
		t.Errorf("p99 is %v beside lists, and %v alone", with, middle)
	}
}

// A listLoad has clients of many addresses, which a PROXY header tells.
type listLoad struct {
	listen string
	caddy  *balancerProcess
	lost   atomic.Int64
}

// fill has each client come once.
func (l *listLoad) fill() {
	var next atomic.Int64
	var wait sync.WaitGroup
	for range 64 {
		wait.Go(func() {
			for i := next.Add(1) - 1; i < int64(*listSessions); i = next.Add(1) - 1 {
				l.visit(int(i))
			}
		})
	}
	wait.Wait()
}

// visit connects as a client and waits for the greeting.
func (l *listLoad) visit(client int) {
	conn, err := net.DialTimeout("tcp", l.listen, patience)
	if err != nil {
		l.lost.Add(1)
		return
	}
	defer reset(conn.(*net.TCPConn)) // which leaves no port behind
	_ = conn.SetDeadline(time.Now().Add(patience))
	_, err = fmt.Fprintf(conn, "PROXY TCP4 10.%d.%d.%d 192.0.2.1 1234 80\r\n", client>>16, client>>8&0xff, client&0xff)
	if err == nil {
		_, err = io.ReadFull(conn, make([]byte, 2))
	}
	if err != nil {
		l.lost.Add(1)
	}
}

// turn has connections come at the rate while it does something, and returns how long the slowest percent of them took at least.
func (l *listLoad) turn(t *testing.T, name string, meanwhile func(end time.Time)) time.Duration {
	began := time.Now()
	end := began.Add(*listTurn)
	took := make([]time.Duration, int(float64(*listRate)*listTurn.Seconds()))
	var wait sync.WaitGroup
	wait.Go(func() {
		for i := range took {
			due := began.Add(time.Duration(i) * time.Second / time.Duration(*listRate))
			time.Sleep(time.Until(due))
			wait.Go(func() {
				from := time.Now()
				l.visit(rand.IntN(*listSessions))
				took[i] = time.Since(from)
			})
		}
	})
	meanwhile(end)
	wait.Wait()
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("%s: %d connections, p50 %v, p99 %v, longest %v", name, len(took), took[len(took)/2], p99, took[len(took)-1])
	return p99
}

// list lists all sessions again and again, once at least.
func (l *listLoad) list(t *testing.T, end time.Time) {
	lists, pages, longest := 0, 0, time.Duration(0)
	for seen, cursor := make(map[string]bool), ""; lists == 0 || time.Now().Before(end); {
		var page sessionsView
		asked := time.Now()
		l.caddy.mustAsk(t, http.MethodGet, "pools/default/sessions?limit=1000"+cursor, "", &page)
		longest = max(longest, time.Since(asked))
		pages++
		for _, s := range page.Sessions {
			if seen[s.Client] {
				t.Fatalf("%s comes twice", s.Client)
			}
			seen[s.Client] = true
		}
		time.Sleep(*listPause)
		if cursor = "&cursor=" + url.QueryEscape(page.Cursor); page.Cursor != "" {
			continue
		}
		if len(seen) != *listSessions {
			t.Errorf("a list has %d sessions, want %d", len(seen), *listSessions)
		}
		lists++
		cursor = ""
		clear(seen)
	}
	t.Logf("%d lists in %d pages, the slowest of which took %v", lists, pages, longest)
}
