package relay

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestTimers changes deadlines at random, and compares what comes first with a plain list.
func TestTimers(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		var heap timers
		pairs := make([]*pair, 1+random.IntN(40))
		for i := range pairs {
			pairs[i] = &pair{deadline: never, place: -1}
		}
		for range 400 {
			deadline := int64(random.IntN(50))
			if random.IntN(3) == 0 {
				deadline = never
			}
			heap.set(pairs[random.IntN(len(pairs))], deadline)
			checkTimers(t, heap, pairs)
		}
		last := int64(0)
		for heap.next() != never {
			p := heap[0]
			if p.deadline < last {
				t.Fatalf("seed %d: %d comes after %d", seed, p.deadline, last)
			}
			last = p.deadline
			heap.set(p, never)
			checkTimers(t, heap, pairs)
		}
	}
}

func checkTimers(t *testing.T, heap timers, pairs []*pair) {
	t.Helper()
	waiting, first := 0, int64(never)
	for _, p := range pairs {
		if first = min(first, p.deadline); p.deadline != never {
			waiting++
		}
		if at := slices.Index(heap, p); at != int(p.place) || (at >= 0) != (p.deadline != never) {
			t.Fatalf("a pair with the deadline %d is at %d and thinks at %d", p.deadline, at, p.place)
		}
	}
	if len(heap) != waiting || heap.next() != first {
		t.Fatalf("%d wait and %d is next, want %d and %d", len(heap), heap.next(), waiting, first)
	}
}
