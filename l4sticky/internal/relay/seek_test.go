package relay

import (
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"runtime"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/connchain"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/connect"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/search"
)

// A finder brings a client to a target: a loop, or the goroutine in connect.Find.
type finder func(t *testing.T, down net.Conn, picker search.Picker, options *Options)

func eachFinder(t *testing.T, test func(t *testing.T, find finder)) {
	goroutine := func(t *testing.T, wrap func(net.Conn) net.Conn) {
		test(t, func(_ *testing.T, down net.Conn, picker search.Picker, options *Options) {
			go func() {
				defer down.Close()
				down := wrap(down)
				up, line := connect.Find(picker, &options.Options, dialPlace)
				if line == nil {
					connchain.Dismiss(down)
					return
				}
				header := headerOf(picker)
				Run(down, up, header, len(header), line, options)
			}()
		})
	}
	t.Run("goroutine", func(t *testing.T) { goroutine(t, func(conn net.Conn) net.Conn { return conn }) })
	t.Run("wrapped", func(t *testing.T) {
		goroutine(t, func(conn net.Conn) net.Conn { return wrapped{conn, conn.(closeWriter)} })
	})
	if runtime.GOOS == "linux" {
		t.Run("loop", func(t *testing.T) {
			test(t, func(t *testing.T, down net.Conn, picker search.Picker, options *Options) {
				header := headerOf(picker)
				if taken, err := Go(down, header, len(header), picker, options, nil); !taken || err != nil {
					t.Fatalf("taken %v, %v", taken, err)
				}
				_ = down.Close()
			})
		})
	}
}

// dialPlace connects to the first address of a target.
func dialPlace(ctx context.Context, d search.Dial) (net.Conn, error) {
	var dialer net.Dialer
	addrs, err := d.Target.Resolve(ctx)
	if err != nil {
		return nil, err
	}
	return dialer.DialContext(ctx, "tcp", addrs[0].String())
}

// headerOf returns what a picker's targets get first.
func headerOf(picker search.Picker) []byte {
	if j, ok := picker.(*journey); ok {
		return j.header
	}
	return nil
}

// seekers returns a client, the end of it to hand over, and a picker.
func seekers(t *testing.T, targets ...search.Target) (client, down net.Conn, picker *fakePicker, b *bench) {
	client, down = conntest.Connected(t, "tcp", "127.0.0.1:0")
	b = newBench(t, client, nil)
	return client, down, &fakePicker{line: b, targets: targets, lost: make(chan error, 1)}, b
}

func patient() *Options { return dialTimes(20*time.Second, 20*time.Second) }

// dialTimes returns options with these times for a dial.
func dialTimes(timeout, late time.Duration) *Options {
	return &Options{Options: connect.Options{Times: search.Times{Timeout: timeout, Late: late}}}
}

// refusing returns a target that nobody listens at.
func refusing(t *testing.T) search.Target {
	return place(netip.MustParseAddrPort(conntest.FreeAddress(t)))
}

// greeter returns a target that greets each client by its name, and then echoes.
func greeter(t *testing.T, name string) place {
	ln := conntest.Listen(t)
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				_, _ = io.WriteString(conn, name)
				_, _ = io.Copy(conn, conn)
				_ = conn.Close()
			}()
		}
	}()
	return at(ln)
}

func TestRefusedMeansTheNext(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		client, down, picker, b := seekers(t, refusing(t), refusing(t), greeter(t, "c"))
		send(t, client, "early")
		find(t, down, picker, patient())
		expect(t, client, "cearly")
		if failed, dropped, errs := picker.log(); len(failed) != 2 || len(dropped) != 0 {
			t.Errorf("failed %v with %v, dropped %v", failed, errs, dropped)
		}
		_ = client.Close()
		b.wait(t)
	})
}

// TestNobodyAccepts ends in order, though the client has sent something.
func TestNobodyAccepts(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		client, down, picker, _ := seekers(t, refusing(t), refusing(t))
		send(t, client, "early")
		find(t, down, picker, patient())
		expectEnd(t, client)
		if err := <-picker.lost; err != nil {
			t.Errorf("lost with %v", err)
		}
	})
}

// TestDisagreed lets a target accept that is not the right one any more.
func TestDisagreed(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		wrong, right := greeter(t, "wrong"), greeter(t, "right")
		client, down, picker, b := seekers(t, wrong, right)
		send(t, client, " early")
		picker.wants = func(t search.Target) bool { return t == search.Target(right) }
		find(t, down, picker, patient())
		expect(t, client, "right early")
		if _, dropped, _ := picker.log(); len(dropped) != 1 || dropped[0] != search.Target(wrong) {
			t.Errorf("dropped %v, want %v", dropped, wrong)
		}
		_ = client.Close()
		b.wait(t)
	})
}

// TestSpareIsBetterThanNothing has no right target that accepts.
func TestSpareIsBetterThanNothing(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		client, down, picker, b := seekers(t, greeter(t, "first"), greeter(t, "second"), refusing(t))
		send(t, client, " early")
		picker.wants = func(search.Target) bool { return false }
		find(t, down, picker, patient())
		expect(t, client, "second early")
		_ = client.Close()
		b.wait(t)
		if failed, dropped, _ := picker.log(); len(failed) != 1 || len(dropped) != 1 {
			t.Errorf("failed %v, dropped %v, want one each", failed, dropped)
		}
	})
}

var errNoName = errors.New("no such name")

// unknown is a target whose name has no address.
type unknown struct{ place }

func (unknown) Addrs() []netip.AddrPort { return nil }

func (unknown) Resolve(context.Context) ([]netip.AddrPort, error) { return nil, errNoName }

// named is a target whose name must be looked up.
type named struct{ place }

func (named) Addrs() []netip.AddrPort { return nil }

func (n named) Resolve(context.Context) ([]netip.AddrPort, error) { return n.place.Addrs(), nil }

func TestNamesAreLookedUp(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		client, down, picker, b := seekers(t, unknown{}, named{greeter(t, "found")})
		find(t, down, picker, patient())
		expect(t, client, "found")
		if _, _, errs := picker.log(); len(errs) != 1 || !errors.Is(errs[0], errNoName) {
			t.Errorf("failed with %v, want %v", errs, errNoName)
		}
		_ = client.Close()
		b.wait(t)
	})
}

// TestAbortsWhileSeeking lets clients leave at random moments of the search; the test's main function finds what leaks.
func TestAbortsWhileSeeking(t *testing.T) {
	eachFinder(t, func(t *testing.T, find finder) {
		accepting := greeter(t, "hello")
		for i := range 300 {
			client, down, picker, _ := seekers(t, refusing(t), named{accepting})
			picker.line = ignored{}
			if i%3 == 0 {
				send(t, client, "early")
			}
			go func() {
				if i%2 == 0 {
					reset(client)
				} else {
					_ = client.Close()
				}
			}()
			find(t, down, picker, patient())
		}
	})
}

type ignored struct{}

func (ignored) Counters() *flow.Counters { return nil }
func (ignored) TargetFailed()            {}
func (ignored) Done(flow.Result)         {}
