package l4sticky

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// Connections are ended by what they hold, in any number, and the log tells the reason of each. Others go on.
func TestEndConnections(t *testing.T) {
	for way, wrap := range ways {
		t.Run(way, func(t *testing.T) {
			a, _ := echo(t)
			b, _ := echo(t)
			v := joinAs(t, newConfig(t), t.Name(), time.Minute, a, b)
			defer v.quit()
			stranger := joinAs(t, newConfig(t), t.Name()+" 2", time.Minute, a)
			defer stranger.quit()
			core, log := observer.New(zap.DebugLevel)
			h := newHandler(t, v)
			h.dialer.logger = zap.New(core)
			at := map[string]netip.Addr{a: homedAt(v, a), b: homedAt(v, b)}
			open := make(map[string][]net.Conn)
			for _, address := range []string{a, b} {
				for range 3 {
					conn, _ := arrive(t, h, at[address], wrap)
					mustEcho(t, conn)
					open[address] = append(open[address], conn)
				}
			}
			elsewhere, _ := arrive(t, newHandler(t, stranger), at[a], wrap)
			mustEcho(t, elsewhere)

			reason := errors.New("a test wants it")
			atB := func(held *holding) bool { return held.upstream != nil && held.upstream.Address.Dial == b }
			ofA := func(held *holding) bool { return held.session.Client() == at[a] }
			if n := v.endConnections(reason, 0, func(*holding) bool { return false }); n != 0 {
				t.Errorf("%d connections are ended that are not wanted", n)
			}
			if n := v.endConnections(reason, 2, atB); n != 2 {
				t.Errorf("%d connections are ended, want 2", n)
			}
			awaitClosed(t, log, 2)
			if n := v.endConnections(reason, 2, atB); n != 1 {
				t.Errorf("%d connections are ended, want the last one", n)
			}
			for _, conn := range open[b] {
				if _, err := io.ReadAll(conn); !errors.Is(err, syscall.ECONNRESET) {
					t.Errorf("a client got %v, want a reset", err)
				}
			}
			for _, conn := range open[a] {
				mustEcho(t, conn)
			}
			if n := v.endConnections(reason, 0, ofA); n != 3 {
				t.Errorf("%d connections of a client are ended, want 3", n)
			}
			awaitClosed(t, log, 6)
			mustEcho(t, elsewhere)
			for _, line := range log.FilterMessage("connection ended").All() {
				if line.ContextMap()["reason"] != reason.Error() {
					t.Errorf("the log tells %v", line.ContextMap())
				}
			}
			_ = elsewhere.Close()
			mustBeEmpty(t, v)
		})
	}
}

// awaitClosed waits until the log has told the end of so many connections.
func awaitClosed(t *testing.T, log *observer.ObservedLogs, n int) {
	awaitLine(t, log, "connection ended", n)
}
