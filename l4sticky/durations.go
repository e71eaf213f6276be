package l4sticky

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// durations count how long things took. Prometheus' own histograms would do the same with twice as many atomic operations, which
// each connection would pay for.
type durations struct {
	bounds []time.Duration // the upper ends of the buckets, ascending, all but the last one's, which has none
	counts []atomic.Int64  // of each bucket
	sum    atomic.Int64
}

func newDurations(bounds []time.Duration) durations {
	return durations{bounds: bounds, counts: make([]atomic.Int64, len(bounds)+1)}
}

// observe counts one.
func (d *durations) observe(took time.Duration) {
	i := 0
	for i < len(d.bounds) && took > d.bounds[i] {
		i++
	}
	d.counts[i].Add(1)
	d.sum.Add(int64(took))
}

// metric returns what was counted as a histogram. While more is counted, the sum may be ahead of the buckets.
func (d *durations) metric(desc *prometheus.Desc, labels ...string) prometheus.Metric {
	count, buckets := uint64(0), make(map[float64]uint64)
	for i, bound := range d.bounds {
		count += uint64(d.counts[i].Load())
		buckets[bound.Seconds()] = count
	}
	count += uint64(d.counts[len(d.bounds)].Load())
	return prometheus.MustNewConstHistogram(desc, count, time.Duration(d.sum.Load()).Seconds(), buckets, labels...)
}
