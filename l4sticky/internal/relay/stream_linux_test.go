package relay

import (
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestPipesAreBoundedAndReused(t *testing.T) {
	list := newPipeList(2)
	a, b := list.get(0), list.get(0)
	if a == nil || b == nil {
		t.Fatal("no pipe")
	}
	if list.get(0) != nil {
		t.Error("more pipes than the list has slots")
	}
	list.put(a, true)
	if list.get(0) != a {
		t.Error("an empty pipe is not used again")
	}
	list.put(b, false)
	if _, err := unix.FcntlInt(uintptr(b.read), unix.F_GETFD, 0); err == nil {
		t.Error("a pipe with bytes left is not closed")
	}
	c := list.get(0)
	if c == nil {
		t.Fatal("the slot of a closed pipe is lost")
	}
	a.close()
	c.close()
}

// TestBurstWithoutPipes runs out of pipes in the middle of a stream.
func TestBurstWithoutPipes(t *testing.T) {
	var taken []*pipe
	for p := pipes.get(time.Since(began)); p != nil; p = pipes.get(time.Since(began)) {
		taken = append(taken, p)
	}
	defer func() {
		for _, p := range taken {
			pipes.put(p, true)
		}
	}()
	b := kinds["loop"](t, nil)
	go func() {
		_, _ = io.Copy(b.client, io.LimitReader(endless{}, 8<<20))
		_ = b.client.Close()
	}()
	if n, err := io.Copy(io.Discard, b.target); err != nil || n != 8<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	_ = b.target.Close()
	b.wait(t)
}

// TestBurstUsesSplice makes sure that what is meant to be fast is what runs.
func TestBurstUsesSplice(t *testing.T) {
	before := free(pipes)
	b := kinds["loop"](t, nil)
	_, _ = io.Copy(b.client, io.LimitReader(endless{}, 1<<20)) // fits into the sockets' buffers and a pipe
	go func() {
		_, _ = io.Copy(b.client, io.LimitReader(endless{}, 32<<20))
		_ = b.client.Close()
	}()
	if n, err := io.Copy(io.Discard, b.target); err != nil || n != 33<<20 {
		t.Errorf("%d bytes, %v", n, err)
	}
	_ = b.target.Close()
	b.wait(t)
	if before == 0 && free(pipes) == 0 {
		t.Error("no pipe was opened by a burst")
	}
}

// TestSlowClientGetsWholeAnswer is a target that has answered and is gone, for a client that reads slowly and goes
// on sending, from the start or after a silence.
func TestSlowClientGetsWholeAnswer(t *testing.T) {
	for _, kind := range []string{"loop", "tcp", "wrapped"} {
		for _, silence := range []time.Duration{0, linger + linger/4} {
			t.Run(kind+" after "+silence.String(), func(t *testing.T) {
				t.Parallel()
				slowClient(t, kinds[kind](t, nil), silence)
			})
		}
	}
}

func slowClient(t *testing.T, b *bench, silence time.Duration) {
	const size = 3 << 20
	go func() {
		_, _ = b.client.Write(make([]byte, 1))
		time.Sleep(silence) // what is tested is time itself
		for chunk := make([]byte, 1024); ; time.Sleep(20 * time.Millisecond) {
			if _, err := b.client.Write(chunk); err != nil {
				return
			}
		}
	}()
	expect(t, b.target, "\x00")
	if _, err := io.CopyN(b.target, endless{}, size); err != nil {
		t.Fatal(err)
	}
	total := 0
	for buffer := make([]byte, 64<<10); ; time.Sleep(100 * time.Millisecond) {
		n, err := b.client.Read(buffer)
		if total += n; err != nil {
			break
		}
		if unacknowledged(b.target) == 0 {
			reset(b.target)
		}
	}
	if total != size {
		t.Errorf("the client got %d bytes of %d", total, size)
	}
	_ = b.client.Close()
	b.wait(t)
}

// free counts the open pipes that wait for a burst.
func free(list pipeList) int {
	open := 0
	for range maxPipes {
		p := <-list
		if p != nil {
			open++
		}
		list <- p
	}
	return open
}
