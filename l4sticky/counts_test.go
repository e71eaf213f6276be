package l4sticky

import (
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/target"
)

// A duration counts in the first bucket that it is not above, and in all that follow.
func TestDurations(t *testing.T) {
	d := newDurations([]time.Duration{time.Millisecond, time.Second})
	for _, took := range []time.Duration{0, time.Millisecond, time.Millisecond + 1, time.Minute} {
		d.observe(took)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(single{d.metric(metricDuration, "p")})
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	h := families[0].GetMetric()[0].GetHistogram()
	if h.GetSampleCount() != 4 || h.GetSampleSum() != (time.Minute+2*time.Millisecond+1).Seconds() {
		t.Errorf("count %d, sum %v", h.GetSampleCount(), h.GetSampleSum())
	}
	for i, want := range []struct {
		bound float64
		count uint64
	}{{.001, 2}, {1, 3}} {
		if b := h.GetBucket()[i]; b.GetUpperBound() != want.bound || b.GetCumulativeCount() != want.count {
			t.Errorf("bucket %d has %d up to %v, want %v", i, b.GetCumulativeCount(), b.GetUpperBound(), want)
		}
	}
}

// A single is a collector of one metric.
type single struct{ prometheus.Metric }

func (s single) Describe(ch chan<- *prometheus.Desc) { ch <- s.Desc() }
func (s single) Collect(ch chan<- prometheus.Metric) { ch <- s.Metric }

// What is in no fixed list would be lost, or would break the metrics.
func TestCausesHaveNames(t *testing.T) {
	for _, why := range slices.Concat(target.FailoverCauses(), target.DeactivationCauses()) {
		if why.String() == "" {
			t.Errorf("cause %d has no name", int(why))
		}
	}
	for r, name := range connResultNames {
		if name == "" {
			t.Errorf("result %d has no name", r)
		}
	}
}

// BenchmarkCounting is all that a connection pays for the metrics beyond what is counted anyway.
func BenchmarkCounting(b *testing.B) {
	c, m := newCounts(), new(target.Member)
	m.Target = new(target.Target)
	one := func() {
		began := monotonic()
		c.dialled(m, monotonic()-began)
		c.over(connResultOf(flow.Result{}, false))
		c.duration.observe(monotonic() - began)
	}
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			one()
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				one()
			}
		})
	})
}
