package main

import (
	"math/bits"
	"time"
)

// latencies counts durations in buckets whose width grows with them, so that each is known to 3 % and a count costs
// nothing to speak of.
type latencies struct {
	buckets [64 * perOctave]int
	count   int
	max     time.Duration
}

// perOctave is how many buckets share a power of two.
const perOctave = 32

func (l *latencies) add(d time.Duration) {
	l.buckets[bucket(d)]++
	l.count++
	l.max = max(l.max, d)
}

// quantile returns the duration below which the share q of all lies. It is 0 if there are none.
func (l *latencies) quantile(q float64) time.Duration {
	left := int(q * float64(l.count))
	for i, n := range l.buckets {
		if left -= n; left < 0 {
			return min(lowest(i+1), l.max)
		}
	}
	return l.max
}

// bucket is the inverse of lowest, up to the width of a bucket.
func bucket(d time.Duration) int {
	n := uint64(max(d, 0))
	if n < perOctave {
		return int(n)
	}
	octave := bits.Len64(n) - bits.Len64(perOctave)
	return octave*perOctave + int(n>>octave)
}

// lowest returns the shortest duration that a bucket counts.
func lowest(bucket int) time.Duration {
	if bucket < 2*perOctave {
		return time.Duration(bucket)
	}
	octave := bucket/perOctave - 1
	return time.Duration(uint64(bucket-octave*perOctave) << octave)
}
