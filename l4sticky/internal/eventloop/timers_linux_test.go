package eventloop

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// TestTimers changes deadlines at random, and compares what comes first with a plain list.
func TestTimers(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 0))
		var heap timers
		tasks := make([]*Task, 1+random.IntN(40))
		for i := range tasks {
			tasks[i] = &Task{deadline: Never, place: -1}
		}
		for range 400 {
			deadline := time.Duration(random.IntN(50))
			if random.IntN(3) == 0 {
				deadline = Never
			}
			heap.set(tasks[random.IntN(len(tasks))], deadline)
			checkTimers(t, heap, tasks)
		}
		last := time.Duration(0)
		for heap.next() != Never {
			p := heap[0]
			if p.deadline < last {
				t.Fatalf("seed %d: %d comes after %d", seed, p.deadline, last)
			}
			last = p.deadline
			heap.set(p, Never)
			checkTimers(t, heap, tasks)
		}
	}
}

func checkTimers(t *testing.T, heap timers, tasks []*Task) {
	t.Helper()
	waiting, first := 0, Never
	for _, p := range tasks {
		if first = min(first, p.deadline); p.deadline != Never {
			waiting++
		}
		if at := slices.Index(heap, p); at != int(p.place) || (at >= 0) != (p.deadline != Never) {
			t.Fatalf("a task with the deadline %d is at %d and thinks at %d", p.deadline, at, p.place)
		}
	}
	if len(heap) != waiting || heap.next() != first {
		t.Fatalf("%d wait and %d is next, want %d and %d", len(heap), heap.next(), waiting, first)
	}
}
