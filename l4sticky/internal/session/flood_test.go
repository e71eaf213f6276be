package session

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
)

func BenchmarkFull(b *testing.B) {
	for _, capacity := range []int{1000, 1_000_000} {
		table := New[*int](func() time.Duration { return time.Since(start) }, expiry, capacity)
		target := new(int)
		n := 0
		come := func() {
			n++
			var a [16]byte
			a[0] = 0x20
			binary.BigEndian.PutUint64(a[8:], uint64(n))
			s := table.Acquire(netip.AddrFrom16(a))
			table.Settle(s, nil, func() *int { return target })
			table.Release(s)
		}
		for range capacity {
			come()
		}
		b.Run("", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				come()
			}
		})
	}
}

var start = time.Now()
