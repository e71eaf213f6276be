package loglimit

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
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
		t.Cleanup(safely.Inject(func(place string) {
			if place == "log limit" && counts == 0 {
				counts++
				panic("injected")
			}
		}))
		for range 2 {
			for range 2 * Lines {
				l.Admit()
			}
			time.Sleep(2 * Window)
			synctest.Wait()
		}
		if counts != 2 || !l.Admit() {
			t.Errorf("told %d times, want once after the panic", counts-1)
		}
	})
}
