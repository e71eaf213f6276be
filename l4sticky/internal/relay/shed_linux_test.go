package relay

import (
	"bytes"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/eventloop"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// do has a function run by the loop, and waits for it.
func do(l *eventloop.Loop, function func()) {
	done := make(chan struct{})
	l.Post(func() {
		defer close(done)
		function()
	})
	<-done
}

// converse sends bytes in messages of all sizes, each when the one before has arrived.
func converse(t *testing.T, from io.Writer, to io.Reader, size int) {
	sent, got := make([]byte, size), make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{}).Read(sent)
	for done := 0; done < size; {
		n := min(size-done, 1+rand.IntN(1<<rand.IntN(21)))
		written := make(chan error, 1)
		go func() {
			_, err := from.Write(sent[done : done+n])
			written <- err
		}()
		if _, err := io.ReadFull(to, got[done:done+n]); err != nil {
			t.Error(err)
			return
		}
		if err := <-written; err != nil {
			t.Error(err)
			return
		}
		done += n
	}
	if !bytes.Equal(got, sent) {
		t.Error("what arrived is not what was sent")
	}
}

// TestShed moves pairs that are at work to another loop, time and again, in whatever state they are.
func TestShed(t *testing.T) {
	home, err := eventloop.Main()
	if err != nil {
		t.Fatal(err)
	}
	other, err := eventloop.New(&eventloop.System)
	if err != nil {
		t.Fatal(err)
	}
	const pairs, size = 16, 4 << 20
	before := home.Len()
	var carried sync.WaitGroup
	var benches []*bench
	for range pairs {
		b := startLoop(t, nil, new(Options))
		benches = append(benches, b)
		carried.Go(func() { converse(t, b.client, b.target, size) })
		carried.Go(func() { converse(t, b.target, b.client, size) })
	}
	stop := make(chan struct{})
	var moving sync.WaitGroup
	var moved atomic.Int64
	moving.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			moved.Add(int64(other.Len()))
			do(home, func() { home.MoveBusyTo(other) })
			do(other, func() { other.MoveBusyTo(home) })
		}
	})
	carried.Wait()
	close(stop)
	moving.Wait()
	do(home, func() { home.MoveBusyTo(nil) })
	do(other, func() { other.MoveBusyTo(nil) })
	if moved.Load() == 0 {
		t.Error("no pair was moved")
	}
	for _, b := range benches {
		_ = b.client.Close()
		expectEnd(t, b.target)
		_ = b.target.Close()
		if r := b.wait(t); r != (flow.Result{ToTarget: size, ToClient: size, End: flow.ClientFirst}) {
			t.Errorf("result %+v", r)
		}
	}
	if left, over := other.Len(), home.Len(); left != 0 || over > before {
		t.Errorf("%d pairs are left at the other loop, and %d at home, where %d were before", left, over, before)
	}
}
