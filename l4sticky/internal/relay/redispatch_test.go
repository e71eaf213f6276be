package relay

import (
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// A journey is the way of one client from target to target, as its picker, and keeps account of what it holds.
type journey struct {
	fakePicker
	header  []byte
	options *Options
	claims  atomic.Int64
	left    atomic.Int64 // targets for which another one was looked for
	failed  atomic.Int64 // of these, or the last one
	over    chan flow.Result
}

// newJourney leads a client to some targets, one after the other.
func newJourney(targets ...search.Target) *journey {
	options := patient()
	options.Redispatch = 20 * time.Second
	return &journey{fakePicker: fakePicker{targets: targets, lost: make(chan error, 1)}, options: options, over: make(chan flow.Result, 1)}
}

func (j *journey) Next(w search.Waker) (search.Dial, search.Step) {
	d, step := j.fakePicker.Next(w)
	if step == search.DialTarget {
		j.claims.Add(1)
	}
	return d, step
}

func (j *journey) Connected(d search.Dial) flow.Established { return &leg{journey: j, dial: d} }
func (j *journey) TakeSpare(d search.Dial) flow.Established { return &leg{journey: j, dial: d} }

func (j *journey) Failed(d search.Dial, err error) error {
	j.claims.Add(-1)
	return j.fakePicker.Failed(d, err)
}

func (j *journey) Dropped(d search.Dial) {
	j.claims.Add(-1)
	j.fakePicker.Dropped(d)
}

// end waits until the client's connection has ended, and returns how: with a target, or by an error without one.
func (j *journey) end(t *testing.T) (r flow.Result, lost error) {
	t.Helper()
	select {
	case r = <-j.over:
	case lost = <-j.lost:
	case <-time.After(30 * time.Second):
		t.Fatal("the relay does not end")
	}
	if n := j.claims.Load(); n != 0 {
		t.Errorf("%d claims are left", n)
	}
	return r, lost
}

// A leg is the part of a journey with one target.
type leg struct {
	*journey
	dial     search.Dial
	counters flow.Counters
}

func (l *leg) Counters() *flow.Counters { return &l.counters }
func (l *leg) TargetFailed()            { l.journey.failed.Add(1) }

func (l *leg) Done(r flow.Result) {
	l.claims.Add(-1)
	l.over <- r
}

func (l *leg) Redispatch(local, remote net.Addr) Redispatch {
	if local == nil || remote == nil {
		panic("an address is missing")
	}
	l.left.Add(1)
	return Redispatch{Picker: l.journey, Owner: l, Had: l.dial, Header: l.header, Options: &l.options.Options, Dial: dialPlace}
}

// server returns a target that does something with each of its connections, and closes it then.
func server(t *testing.T, serve func(conn *net.TCPConn)) search.Target {
	ln := conntest.Listen(t)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				serve(conn.(*net.TCPConn))
			}()
		}
	}()
	return at(ln)
}

// quitters are the ways in which a target ends a connection before it has begun.
var quitters = map[string]func(header int, conn *net.TCPConn){
	"closes":              func(int, *net.TCPConn) {},
	"resets":              func(_ int, conn *net.TCPConn) { reset(conn) },
	"closes soon":         func(int, *net.TCPConn) { time.Sleep(20 * time.Millisecond) },
	"resets soon":         func(_ int, conn *net.TCPConn) { time.Sleep(20 * time.Millisecond); reset(conn) },
	"reads, then closes":  func(n int, conn *net.TCPConn) { _, _ = io.CopyN(io.Discard, conn, int64(n)) },
	"reads, then resets":  func(n int, conn *net.TCPConn) { _, _ = io.CopyN(io.Discard, conn, int64(n)); reset(conn) },
	"ends its direction":  func(_ int, conn *net.TCPConn) { _ = conn.CloseWrite(); _, _ = io.Copy(io.Discard, conn) },
	"closes after a look": func(int, *net.TCPConn) { time.Sleep(time.Millisecond) },
}

// TestRedispatch has two targets end the connection of a client that is silent. It is served by the third one.
func TestRedispatch(t *testing.T) {
	for name, quit := range quitters {
		for _, header := range []string{"", "PROXY "} {
			t.Run(name+" "+header, func(t *testing.T) {
				eachFinder(t, func(t *testing.T, find finder) {
					quitter := func() search.Target { return server(t, func(conn *net.TCPConn) { quit(len(header), conn) }) }
					client, down, _, b := seekers(t)
					b.deadline(client)
					j := newJourney(quitter(), quitter(), greeter(t, "hello "))
					j.header = []byte(header)
					find(t, down, j, j.options)
					expect(t, client, "hello "+header)
					send(t, client, "you")
					expect(t, client, "you")
					_ = client.Close()
					r, lost := j.end(t)
					if want := int64(len(header) + 3); lost != nil || r.ToTarget != want || r.ToClient != want+6 || r.Unserved || r.TargetErr != nil {
						t.Errorf("result %+v, lost %v", r, lost)
					}
				})
			})
		}
	}
}

// TestRedispatchToNone comes back to the last target that there was, whose end the client sees as it was.
func TestRedispatchToNone(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		for name, quit := range quitters {
			heard := make(chan string, 2)
			quitter := server(t, func(conn *net.TCPConn) {
				if name == "ends its direction" {
					_ = conn.CloseWrite()
					all, _ := io.ReadAll(conn)
					heard <- string(all)
				} else {
					quit(6, conn)
				}
			})
			client, down, _, b := seekers(t)
			b.deadline(client)
			j := newJourney(quitter, refusing(t))
			j.header = []byte("PROXY ")
			find(t, down, j, j.options)
			rest, err := io.ReadAll(client)
			cut, resets := errors.Is(err, syscall.ECONNRESET), strings.Contains(name, "resets")
			if strings.HasPrefix(name, "closes") || name == "resets" {
				resets = cut // as what it has not read makes it, or because it is a failed dial
			}
			if len(rest) > 0 || cut != resets || !cut && err != nil {
				t.Errorf("%s: the client read %q, %v", name, rest, err)
			}
			if name == "ends its direction" {
				send(t, client, "but you listen")
				halfClose(t, client)
				if got := <-heard; got != "PROXY but you listen" {
					t.Errorf("the target got %q", got)
				}
			}
			_ = client.Close()
			if r, lost := j.end(t); lost != nil || r.Unserved || (r.TargetErr != nil) != (j.failed.Load() == 1) {
				t.Errorf("%s: result %+v, lost %v, told %d times", name, r, lost, j.failed.Load())
			}
		}
	})
}

// TestNoRedispatch is a connection that has begun, or one that is no new one any more.
func TestNoRedispatch(t *testing.T) {
	for name, scene := range map[string]struct {
		serve func(conn *net.TCPConn)
		says  string
		late  string // the same, when the target has accepted
		hears string
		ends  bool
		limit time.Duration
	}{
		"the client has spoken":       {serve: func(conn *net.TCPConn) { _, _ = conn.Read(make([]byte, 1)) }, says: "x"},
		"the client speaks later":     {serve: func(conn *net.TCPConn) { _, _ = conn.Read(make([]byte, 1)) }, late: "x"},
		"the client has ended":        {serve: func(conn *net.TCPConn) { _, _ = conn.Read(make([]byte, 1)) }, ends: true},
		"the target has spoken":       {serve: func(conn *net.TCPConn) { _, _ = io.WriteString(conn, "bye") }, hears: "bye"},
		"the target has waited":       {serve: func(*net.TCPConn) { time.Sleep(50 * time.Millisecond) }, limit: 10 * time.Millisecond},
		"it is not wanted":            {serve: func(*net.TCPConn) {}, limit: -1},
		"the target has said so much": {serve: func(conn *net.TCPConn) { _, _ = conn.Write(make([]byte, 1<<20)) }, hears: string(make([]byte, 1<<20))},
	} {
		t.Run(name, func(t *testing.T) {
			eachFinder(t, func(t *testing.T, find finder) {
				client, down, _, b := seekers(t)
				b.deadline(client)
				accepted := make(chan struct{}, 1)
				first := server(t, func(conn *net.TCPConn) {
					accepted <- struct{}{}
					scene.serve(conn)
				})
				j := newJourney(first, greeter(t, "another one"))
				if scene.limit != 0 {
					j.options.Redispatch = max(scene.limit, 0)
				}
				send(t, client, scene.says)
				if scene.ends {
					halfClose(t, client)
				}
				find(t, down, j, j.options)
				<-accepted
				if scene.late != "" {
					send(t, client, scene.late)
				}
				if got, err := io.ReadAll(client); string(got) != scene.hears || err != nil && !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("the client read %d bytes, %v", len(got), err)
				}
				_ = client.Close()
				if _, lost := j.end(t); lost != nil || j.left.Load() > 0 {
					t.Errorf("lost %v, %d targets were left", lost, j.left.Load())
				}
			})
		})
	}
}

// TestRedispatchKeepsWhatComes has clients speak while another target is looked for: each byte comes to the target that
// serves, once and in order, or none does if it was taken for the target that has left.
func TestRedispatchKeepsWhatComes(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		quitter, good := server(t, func(*net.TCPConn) { time.Sleep(rand.N(3 * time.Millisecond)) }), greeter(t, "")
		served := 0
		for range 300 {
			client, down, _, b := seekers(t)
			b.deadline(client)
			j := newJourney(quitter, good)
			find(t, down, j, j.options)
			time.Sleep(rand.N(5 * time.Millisecond))
			for _, word := range []string{"one ", "two ", "three"} {
				_, _ = io.WriteString(client, word)
			}
			_ = client.(*net.TCPConn).CloseWrite()
			switch got, err := io.ReadAll(client); {
			case err == nil && string(got) == "one two three":
				served++
			case j.left.Load() > 0 || len(got) > 0:
				t.Fatalf("the client read %q, %v; %d targets were left", got, err, j.left.Load())
			}
			_ = client.Close()
			j.end(t)
		}
		if t.Logf("%d of 300 were served", served); served == 0 {
			t.Error("no client was served")
		}
	})
}

// TestRedispatchInAnyOrder has clients, targets and the process end connections at random. Each gives back what it has held.
func TestRedispatchInAnyOrder(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		quitter := func(longest time.Duration, resets bool) search.Target {
			return server(t, func(conn *net.TCPConn) {
				if time.Sleep(rand.N(longest)); resets {
					reset(conn)
				}
			})
		}
		targets := []search.Target{quitter(time.Microsecond, false), quitter(time.Microsecond, true), quitter(2*time.Millisecond, true), refusing(t), greeter(t, "hello"), named{greeter(t, "hey")}, unknown{}}
		var all sync.WaitGroup
		for i := range 400 {
			some := slices.Clone(targets)
			rand.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
			client, down, _, b := seekers(t)
			b.deadline(client)
			j := newJourney(some[:1+rand.IntN(len(some)-1)]...)
			find(t, down, j, j.options)
			all.Go(func() {
				time.Sleep(rand.N(3 * time.Millisecond))
				switch i % 5 {
				case 0:
					reset(client)
				case 1:
					_ = client.Close()
				case 2:
					_, _ = io.WriteString(client, "x")
					_, _ = io.CopyN(io.Discard, client, 3)
					_ = client.Close()
				case 3:
					Abort(func(owner any) bool {
						l, is := owner.(*leg)
						return owner == any(j) || is && l.journey == j
					})
					fallthrough
				default:
					_, _ = io.CopyN(io.Discard, client, 3)
					_ = client.Close()
				}
				j.end(t)
			})
		}
		all.Wait()
	})
}
