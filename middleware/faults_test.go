package middleware_test

import (
	"context"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/caddy-sticky/caddy-sticky/middleware"
)

type nilError struct{ text string }

func (e *nilError) Error() string { return e.text }

// Whatever goes wrong in a middleware keeps that client out, is logged with its reason, and harms no other.
func TestFaults(t *testing.T) {
	set("fine", allow)
	for name, fault := range map[string]struct {
		what script
		want string
	}{
		"panic":       {func(context.Context, *middleware.Client) error { panic("oh no") }, "panic: oh no"},
		"exit":        {func(context.Context, *middleware.Client) error { runtime.Goexit(); return nil }, "it ended without a decision"},
		"nil error":   {func(context.Context, *middleware.Client) error { return (*nilError)(nil) }, "panic: runtime error: invalid memory address"},
		"long reason": {deny(strings.Repeat("x", 10000)), strings.Repeat("x", 1000)},
	} {
		t.Run(name, func(t *testing.T) {
			set("faulty", fault.what)
			address := serve(t, route(matcher("", "faulty"), "never"), route(matcher("", "fine"), "fine"))
			must(t, address, "", "fine")
			block := blocks(t, 1)[0]
			if reason := block["reason"].(string); !strings.HasPrefix(reason, fault.want) || len(reason) > 1000 {
				t.Errorf("logged %q, want %q", reason, fault.want)
			}
			stack, _ := block["stack"].(string)
			if strings.HasPrefix(fault.want, "panic") != strings.Contains(stack, "faults_test.go") {
				t.Errorf("the stack is %q", stack)
			}
		})
	}
}

// A middleware that never decides keeps its client out after the timeout, whether it minds its context or not, and
// nobody else waits for it.
func TestTimeout(t *testing.T) {
	gone := make(chan struct{})
	t.Cleanup(func() { close(gone) })
	for name, wait := range map[string]script{
		"minds its context":   func(ctx context.Context, _ *middleware.Client) error { <-ctx.Done(); return nil },
		"ignores its context": func(context.Context, *middleware.Client) error { <-gone; return nil },
	} {
		t.Run(name, func(t *testing.T) {
			entered := make(chan struct{})
			set("slow", func(ctx context.Context, client *middleware.Client) error {
				if client.GetVar("fast") != nil {
					return nil
				}
				deadline, ok := ctx.Deadline()
				if !ok || time.Until(deadline) > time.Second {
					t.Errorf("the deadline is %v", deadline)
				}
				close(entered)
				return wait(ctx, client)
			})
			first := make(chan bool, 2)
			first <- false
			first <- true
			set("marks", func(_ context.Context, client *middleware.Client) error {
				if <-first {
					client.SetVar("fast", true)
				}
				return nil
			})
			address := serve(t, route(matcher(`, "timeout": "300ms"`, "marks", "slow"), "hello"))
			slow := dial(t, address)
			<-entered
			must(t, address, "", "hello")
			if answer, err := io.ReadAll(slow); len(answer) > 0 || err != nil {
				t.Errorf("got %q and %v", answer, err)
			}
			if reason := blocks(t, 1)[0]["reason"]; reason != "no decision in time, which is 300ms" {
				t.Errorf("logged %q", reason)
			}
		})
	}
}

// A middleware that goes on after the timeout has no hold on the connection any more.
func TestLateMiddleware(t *testing.T) {
	late, done := make(chan struct{}), make(chan struct{})
	set("late", func(_ context.Context, client *middleware.Client) error {
		defer close(done)
		client.SetVar("word", "before")
		<-late
		client.SetVar("word", "after")
		if client.GetVar("word") != nil {
			t.Error("it still sees variables")
		}
		return nil
	})
	set("releases", func(context.Context, *middleware.Client) error {
		close(late)
		<-done
		return nil
	})
	address := serve(t, route(matcher(`, "timeout": "20ms"`, "late"), "never"), route(matcher("", "releases"), "{l4.vars.word}"))
	must(t, address, "", "before")
}

// The context ends when the client leaves, and not when it ends its direction after it has sent something.
func TestClientLeaves(t *testing.T) {
	for name, leave := range map[string]func(conn *net.TCPConn){
		"closes":               func(conn *net.TCPConn) { conn.Close() },
		"resets":               func(conn *net.TCPConn) { _ = conn.SetLinger(0); conn.Close() },
		"resets after a byte":  func(conn *net.TCPConn) { _, _ = conn.Write([]byte("x")); _ = conn.SetLinger(0); conn.Close() },
		"resets after its end": func(conn *net.TCPConn) { _ = conn.CloseWrite(); _ = conn.SetLinger(0); conn.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			entered, ended := make(chan struct{}), make(chan error, 1)
			set("waits", func(ctx context.Context, _ *middleware.Client) error {
				close(entered)
				<-ctx.Done()
				ended <- context.Cause(ctx)
				return ctx.Err()
			})
			address := serve(t, route(matcher(`, "timeout": "1m"`, "waits"), "never"))
			conn := dial(t, address)
			<-entered
			leave(conn)
			select {
			case err := <-ended:
				if err.Error() != "the client left" {
					t.Errorf("the context ended because %v", err)
				}
			case <-time.After(patience):
				t.Error("the context goes on")
			}
		})
	}
	if n := observedLogs.FilterMessage("blocked a client").Len(); n > 0 {
		t.Errorf("%d who left were logged as blocked", n)
	}
}

func TestHalfClose(t *testing.T) {
	decided := make(chan error)
	set("patient", func(ctx context.Context, _ *middleware.Client) error {
		select {
		case err := <-decided:
			return err
		case <-ctx.Done():
			return ctx.Err()
		}
	})
	address := serve(t, `{"match": [`+matcher("", "patient")+`], "handle": [{"handler": "greeter", "word": "you said ", "listen": true}]}`)
	conn := dial(t, address)
	if _, err := io.WriteString(conn, "hello"); err != nil {
		t.Fatal(err)
	}
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	// Only time can tell that nothing happens: the client would be looked after several times.
	time.Sleep(100 * time.Millisecond)
	select {
	case decided <- nil:
	case <-time.After(patience):
		t.Fatal("nobody waits for the decision")
	}
	if answer, err := io.ReadAll(conn); string(answer) != "you said hello" || err != nil {
		t.Errorf("got %q and %v", answer, err)
	}
}

// A reload neither cuts off a decision nor decides it anew.
func TestReloadWhileDeciding(t *testing.T) {
	entered, decided := make(chan struct{}), make(chan error)
	set("old", func(context.Context, *middleware.Client) error {
		close(entered)
		return <-decided
	})
	set("new", deny("new"))
	address, fd := listen(t)
	run(t, fd, route(matcher("", "old"), "hello"))
	conn := dial(t, address)
	<-entered
	run(t, fd, route(matcher("", "new"), "never"))
	t.Cleanup(stop(t))
	must(t, address, "", "")
	decided <- nil
	if answer, err := io.ReadAll(conn); string(answer) != "hello" || err != nil {
		t.Errorf("got %q and %v", answer, err)
	}
}
