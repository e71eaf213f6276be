package loglimit

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
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

func TestLogger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
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
