package loglimit

import (
	"slices"
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
