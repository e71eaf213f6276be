package integration

import (
	"io"
	"net"
	"testing"
	"time"
)

const (
	idleTimeout = 2 * time.Second
	// beat is how often a byte moves on a connection that is not idle, beats is for how long.
	beat  = idleTimeout / 10
	beats = 25
)

// tick writes a byte at each beat.
func tick(conn io.Writer) {
	for range beats {
		if _, err := conn.Write([]byte{'.'}); err != nil {
			return
		}
		time.Sleep(beat)
	}
}

// A connection ends after it was silent for idle_timeout, in both directions; one byte in either starts that anew.
func TestIdleTimeout(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		silent, ticking, listening := freeAddr(t), freeAddr(t), freeAddr(t)
		heard := make(chan int64, 1)
		serve := func(listen, pool string, serve func(*net.TCPConn)) server {
			return server{"seamless/" + listen, front + sticky("idle_timeout 2s\npool "+pool, startTarget(t, pool, serve))}
		}
		startCaddy(t, caddyfile(
			serve(silent, "silent", greet("silent")),
			serve(ticking, "ticking", func(conn *net.TCPConn) { tick(conn) }),
			serve(listening, "listening", func(conn *net.TCPConn) {
				n, _ := io.Copy(io.Discard, conn)
				heard <- n
			}),
		))
		t.Run("silent", func(t *testing.T) {
			t.Parallel()
			conn, _ := hold(t, "127.0.0.2", silent)
			mustCloseAfter(t, conn, idleTimeout)
		})
		t.Run("silent after a while", func(t *testing.T) {
			t.Parallel()
			conn, _ := hold(t, "127.0.0.2", silent)
			go tick(conn)
			if _, err := io.ReadFull(conn, make([]byte, beats)); err != nil {
				t.Fatalf("a connection at work ended: %v", err)
			}
			mustCloseAfter(t, conn, idleTimeout)
		})
		t.Run("only the target speaks", func(t *testing.T) {
			t.Parallel()
			conn := dialFrom(t, "127.0.0.2", ticking)
			if all, err := io.ReadAll(conn); len(all) != beats || err != nil {
				t.Errorf("%d of %d bytes came, %v", len(all), beats, err)
			}
		})
		t.Run("only the client speaks", func(t *testing.T) {
			t.Parallel()
			conn := dialFrom(t, "127.0.0.2", listening)
			tick(conn)
			_ = conn.CloseWrite()
			if n := <-heard; n != beats {
				t.Errorf("%d of %d bytes came", n, beats)
			}
		})
	})
}

// mustCloseAfter is mustClose for a connection that must not end before it has been silent for a while. The last byte
// has just come.
func mustCloseAfter(t testing.TB, conn *net.TCPConn, silence time.Duration) {
	t.Helper()
	// The byte came to the balancer before it came to the test.
	const slack = 250 * time.Millisecond
	began := time.Now()
	mustClose(t, conn)
	if took := time.Since(began); took < silence-slack {
		t.Errorf("the connection ended after %v of silence", took)
	}
}

// Once one side has ended its direction, half_close_timeout counts: for that connection alone, and only while it is
// silent.
func TestHalfCloseTimeout(t *testing.T) {
	eachWay(t, func(t *testing.T, front string) {
		listen, done, heardEnd := freeAddr(t), make(chan struct{}), make(chan struct{})
		defer close(done)
		target := startTarget(t, "a", func(conn *net.TCPConn) {
			_, _ = io.WriteString(conn, "a\n")
			switch line, _ := readLine(conn); line {
			case "tick":
				_, _ = io.Copy(io.Discard, conn)
				tick(conn)
			case "end":
				_ = conn.CloseWrite()
				_, _ = io.Copy(io.Discard, conn)
				close(heardEnd)
			case "wait":
				_, _ = io.Copy(io.Discard, conn)
				<-done // it has heard the end, and does not end
			default:
				_, _ = io.Copy(conn, conn)
			}
		})
		startCaddy(t, caddyfile(server{"seamless/" + listen, front + sticky("half_close_timeout 2s", target)}))
		ask := func(line string) *net.TCPConn {
			conn, _ := hold(t, "127.0.0.2", listen)
			_, _ = io.WriteString(conn, line+"\n")
			return conn
		}
		whole, ticking, waiting, ended := ask("echo"), ask("tick"), ask("wait"), ask("end")
		_, _ = waiting.CloseWrite(), ticking.CloseWrite()
		if _, err := io.ReadAll(ended); err != nil { // up to the end of the target's direction
			t.Fatal(err)
		}
		mustCloseAfter(t, waiting, idleTimeout)
		select { // the other way round, the target is rid of a client that does not end
		case <-heardEnd:
		case <-time.After(patience):
			t.Error("the target's connection did not end")
		}
		if all, err := io.ReadAll(ticking); len(all) != beats || err != nil {
			t.Errorf("%d of %d bytes came, %v", len(all), beats, err)
		}
		mustEcho(t, whole)
	})
}
