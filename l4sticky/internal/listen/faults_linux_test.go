package listen

import (
	"io"
	"strings"
	"testing"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/conntest"
)

// TestPanicWhileListening accepts clients though what accepts them has panicked.
func TestPanicWhileListening(t *testing.T) {
	for _, place := range []string{"accept", "listener", "listening socket", "loop", "loop watchdog"} {
		t.Run(place, func(t *testing.T) {
			eachListener(t, func(t *testing.T, listen listenFunc) {
				if strings.HasSuffix(t.Name(), "shared") && place != "accept" {
					t.Skip("it has no such place")
				}
				other := conntest.FreeAddress(t)
				innocent := serve(mustListen(t, listen, other))
				panicked := safelytest.InjectOnce(t, place)
				address := conntest.FreeAddress(t)
				ln := mustListen(t, listen, address)
				conns := serve(ln)
				first := dialTo(t, address)
				safelytest.AwaitPanic(t, panicked)
				_ = first.Close()
				client := dialTo(t, address)
				for conn := range conns {
					if conn.RemoteAddr().String() == client.LocalAddr().String() {
						break
					}
				}
				dialTo(t, other)
				<-innocent
			})
		})
	}
}

// TestPanicInConn is an error of the connection.
func TestPanicInConn(t *testing.T) {
	address := conntest.FreeAddress(t)
	conns := serve(mustListen(t, Listen, address))
	client := dialTo(t, address)
	conn := <-conns
	for place, use := range map[string]func([]byte) (int, error){"reading from a client": conn.Read, "writing to a client": conn.Write} {
		panicked := safelytest.InjectOnce(t, place)
		if n, err := use(make([]byte, 5)); n != 0 || err != safely.ErrPanic || panicked() != 1 {
			t.Errorf("%s: %d, %v", place, n, err)
		}
	}
	_, _ = client.Write([]byte("hello"))
	if n, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
		t.Errorf("read %d, %v", n, err)
	}
}
