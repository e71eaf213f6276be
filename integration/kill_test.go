package integration

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// moment is the span within which something happened.
type moment struct{ from, to time.Time }

func (m moment) overlaps(other moment) bool {
	return !m.to.Before(other.from) && !other.to.Before(m.from)
}

// Targets that die and come back, one at a time and under load, cost connections only at the very
// moment of a death, when the dying target has accepted them already.
func TestTargetsKilledUnderLoad(t *testing.T) {
	t.Parallel()
	listen, targets, ips := freeAddr(t), greeters(t, 3), clientIPs(12)
	startCaddy(t, balance(listen, "session_expiry 20ms\ndeactivation_duration 20ms", targets...))

	var stop atomic.Bool
	var mu sync.Mutex
	failures, served := make(map[moment]error), 0
	var wg sync.WaitGroup
	for _, ip := range ips {
		wg.Go(func() {
			for !stop.Load() {
				began := time.Now()
				_, err := tryWho(ip, listen)
				mu.Lock()
				if served++; err != nil {
					failures[moment{began, time.Now()}] = err
				}
				mu.Unlock()
			}
		})
	}
	var deaths []moment
	for i := range 12 {
		victim := targets[i%len(targets)]
		began := time.Now()
		victim.kill()
		deaths = append(deaths, moment{began, time.Now()})
		time.Sleep(100 * time.Millisecond)
		victim.start(t)
		time.Sleep(50 * time.Millisecond)
	}
	stop.Store(true)
	wg.Wait()

	t.Logf("%d connections, %d of them lost in %d deaths", served, len(failures), len(deaths))
	for failure, err := range failures {
		excused := false
		for _, death := range deaths {
			excused = excused || failure.overlaps(death)
		}
		if !excused {
			t.Errorf("a connection failed though targets were up: %v", err)
		}
	}
}
