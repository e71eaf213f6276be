package loglimit

import (
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
)

func TestLimiter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var counts []int
		l := &Limiter{LeftOut: func(lines int) { counts = append(counts, lines) }}
		flood := func(lines, wantAdmitted int, wantLeftOut ...int) {
			t.Helper()
			counts = nil
			admitted := 0
			for range lines {
				if l.Admit() {
					admitted++
				}
			}
			time.Sleep(2 * Window) // the bubble's clock
			synctest.Wait()
			if admitted != wantAdmitted || !slices.Equal(counts, wantLeftOut) {
				t.Errorf("%d of %d lines and the counts %v, want %d and %v", admitted, lines, counts, wantAdmitted, wantLeftOut)
			}
		}
		for range 2 {
			flood(1000, Lines, 1000-Lines)
			flood(Lines, Lines)
			flood(1, 1)
		}
	})
}

// TestPanicInCount is no reason to admit nothing any more.
func TestPanicInCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counts := 0
		l := &Limiter{LeftOut: func(int) { counts++ }}
		panicked := safelytest.InjectOnce(t, "log limit")
		for range 2 {
			for range 2 * Lines {
				l.Admit()
			}
			time.Sleep(2 * Window)
			synctest.Wait()
		}
		if counts != 1 || panicked() != 1 || !l.Admit() {
			t.Errorf("told %d times and %d panics, want one after the other", counts, panicked())
		}
	})
}

// A buffer is written by a timer and read by a test.
type buffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *buffer) Write(text []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(text)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func TestLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log buffer
		l := NewLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelInfo})), 3, time.Minute)
		flood := func() {
			for range 1000 {
				l.Log(slog.LevelDebug, "not logged, not counted")
				l.Log(slog.LevelInfo, "flood", "from", "a stranger")
			}
		}
		want := func(flooded, told int) {
			t.Helper()
			if got := strings.Count(log.String(), `level=INFO msg=flood from="a stranger"`); got != flooded {
				t.Errorf("%d lines, want %d", got, flooded)
			}
			if got := strings.Count(log.String(), "left_out=997\n"); got != told || strings.Count(log.String(), "\n") != flooded+told {
				t.Errorf("%d lines tell of those left out, want %d:\n%s", got, told, log.String())
			}
		}
		flood()
		want(3, 0)
		time.Sleep(time.Minute - time.Nanosecond)
		synctest.Wait()
		want(3, 0)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		want(3, 1)
		flood()
		l.Flush()
		want(6, 2)
		l.Flush()
		time.Sleep(time.Hour)
		synctest.Wait()
		want(6, 2)
	})
}
