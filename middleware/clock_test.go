package middleware

import (
	"math"
	"testing"
	"time"
	"unsafe"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
)

// setWallClock returns the time that a clock shows at the same moment after somebody has set it.
func setWallClock(t *testing.T, at time.Time, by time.Duration) time.Time {
	t.Helper()
	set := at
	// The seconds since 1885 stand above 30 bits of nanoseconds, and the monotonic clock's reading elsewhere.
	(*struct {
		wall uint64
		ext  int64
		loc  *time.Location
	})(unsafe.Pointer(&set)).wall += uint64(by/time.Second) << 30
	if set.Sub(at) != 0 || set.Unix()-at.Unix() != int64(by/time.Second) {
		t.Fatalf("%v became %v", at, set)
	}
	return set
}

// settings are what somebody does to a clock: nothing, or he sets it on or back by years.
var settings = []time.Duration{0, 20 * 365 * 24 * time.Hour, -20 * 365 * 24 * time.Hour}

// TestBucketsWhoseClockIsSet has a wall clock that is set between two connections: nobody gets tokens by that, and
// everybody gets them in time.
func TestBucketsWhoseClockIsSet(t *testing.T) {
	for _, by := range settings {
		u, clock := testBuckets(t, limits{window: time.Minute, connections: 1, burst: 3, maxClients: 2})
		clock.Time = time.Now() // with a reading of the monotonic clock
		a, b, c := clientNumber(1), clientNumber(2), clientNumber(3)
		mustTake(t, u, a, 10, 3)
		mustTake(t, u, b, 10, 1+1+1)
		clock.Time = setWallClock(t, clock.Time, by)
		mustTake(t, u, a, 10, 0)
		for range 3 {
			clock.pass(59 * time.Second)
			clock.Time = setWallClock(t, clock.Time, by)
			mustTake(t, u, a, 10, 0)
			clock.Time = setWallClock(t, clock.Time, -by)
			clock.pass(time.Second)
			mustTake(t, u, a, 10, 1)
		}
		clock.Time = setWallClock(t, clock.Time, by)
		mustTake(t, u, c, 1, 1) // b's bucket is full by now and makes room, not a's
		mustTake(t, u, a, 10, 0)
	}
}

// TestAnswersWhoseClockIsSet has a wall clock that is set while an answer is kept.
func TestAnswersWhoseClockIsSet(t *testing.T) {
	for _, by := range settings {
		a, err := newAuthority("http://localhost", "", time.Second, time.Minute, 10)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now()
		a.now = func() time.Time { return now }
		q := question{Client: "192.0.2.1"}
		a.known.Add(q, answer{"no", a.now().Add(a.ttl)})
		now = setWallClock(t, now.Add(time.Minute-1), by)
		if refusal, known := a.recall(q); !known || refusal != "no" {
			t.Errorf("set by %v: the answer is gone before its time", by)
		}
		now = setWallClock(t, now.Add(1), -by)
		now = setWallClock(t, now, -by)
		if _, known := a.recall(q); known {
			t.Errorf("set by %v: the answer outlives its time", by)
		}
	}
}

// TestBucketsAtTheirEdges has the limits that a config may have at the utmost. A second is what a float64 makes of
// 100 years at worst.
func TestBucketsAtTheirEdges(t *testing.T) {
	for _, l := range []limits{
		{window: parse.MaxDuration, connections: 1, burst: 1, maxClients: math.MaxInt},
		{window: parse.MaxDuration, connections: 1, burst: maxTokens, maxClients: 1},
		{window: time.Second, connections: maxTokens, burst: maxTokens, maxClients: math.MaxInt},
		{window: time.Second, connections: maxTokens, burst: 1, maxClients: 1},
	} {
		u, clock := testBuckets(t, l)
		clock.Time = time.Now()
		visitor, burst := clientNumber(1), min(5, l.burst)
		mustTake(t, u, visitor, 5, burst)
		want := l.window / time.Duration(l.connections) * time.Duration(burst)
		if l.burst > 1 && l.connections == 1 {
			want = parse.MaxDuration
		}
		if left := u.byFill[0].full.Sub(clock.now()); left < want-time.Second || left > want+time.Second {
			t.Errorf("%+v: the bucket is full in %v, want %v", l, left, want)
		}
		if l.window == parse.MaxDuration && l.burst == 1 {
			clock.pass(l.window - 2*time.Second)
			mustTake(t, u, visitor, 5, 0)
			clock.pass(2 * time.Second)
		} else {
			clock.pass(l.window)
		}
		mustTake(t, u, visitor, 5, burst)
		mustTake(t, u, clientNumber(2), 5, burst)
	}
}
