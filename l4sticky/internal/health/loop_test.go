package health

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/caddy-sticky/caddy-sticky/internal/safely/safelytest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Checks begin an interval apart, give or take a tenth, however long they take, and never overlap.
func TestPace(t *testing.T) {
	for name, takes := range map[string]time.Duration{"quick": time.Millisecond, "slow": 4 * time.Second, "too slow": 7 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const interval = 5 * time.Second
				var began []time.Time
				running := 0
				started := time.Now()
				loop := Start(interval, func(context.Context) {
					if running++; running > 1 {
						t.Error("two checks at a time")
					}
					began = append(began, time.Now())
					time.Sleep(takes)
					running--
				})
				time.Sleep(time.Hour)
				loop.Close()
				time.Sleep(time.Minute)
				synctest.Wait()
				if first := began[0].Sub(started); first > interval/10 {
					t.Errorf("the first check came after %v", first)
				}
				pauses := make(map[time.Duration]bool)
				for i := range began[1:] {
					pause := began[i+1].Sub(began[i])
					pauses[pause] = true
					if least, most := max(takes, interval*9/10), max(takes, interval*11/10); pause < least || pause > most {
						t.Fatalf("%v between two checks", pause)
					}
				}
				if len(pauses) < 2 && takes < interval {
					t.Error("there is no jitter")
				}
				if last := began[len(began)-1].Sub(started); last > time.Hour || len(began) < 400 {
					t.Errorf("%d checks, the last one after %v", len(began), last)
				}
			})
		})
	}
}

// Close is told to a check that is under way, and nothing is left.
func TestClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		loop := Start(time.Second, func(ctx context.Context) {
			<-ctx.Done()
			ended = true
		})
		time.Sleep(time.Minute)
		loop.Close()
		loop.Close()
		synctest.Wait()
		if !ended {
			t.Error("the check goes on")
		}
	})
}

// A check that panics is followed by the next one.
func TestPanicInCheck(t *testing.T) {
	checks := make(chan int)
	n := 0
	panicked := safelytest.InjectOnce(t, "none")
	loop := Start(time.Millisecond, func(ctx context.Context) {
		if n++; n == 1 {
			panic("injected")
		}
		select {
		case checks <- n:
		case <-ctx.Done():
		}
	})
	defer loop.Close()
	if <-checks != 2 || panicked() != 1 {
		t.Error("the checks do not go on after a panic")
	}
}
