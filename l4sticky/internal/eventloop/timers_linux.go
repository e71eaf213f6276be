package eventloop

import (
	"math"
	"time"
)

// Never is a time that does not come.
const Never time.Duration = math.MaxInt64

// timers is a binary heap of the tasks that wait for a time, the next one first. A task knows its place in it, so
// that one without a deadline costs nothing.
type timers []*Task

// set changes the task's deadline.
func (h *timers) set(t *Task, deadline time.Duration) {
	if t.deadline == deadline {
		return
	}
	t.deadline = deadline
	switch {
	case deadline == Never:
		h.remove(int(t.place))
	case t.place < 0:
		t.place = int32(len(*h))
		*h = append(*h, t)
		h.up(int(t.place))
	default:
		h.up(h.down(int(t.place)))
	}
}

// next returns the first deadline.
func (h timers) next() time.Duration {
	if len(h) == 0 {
		return Never
	}
	return h[0].deadline
}

func (h *timers) remove(i int) {
	last := len(*h) - 1
	(*h)[i].place = -1
	if i < last {
		(*h)[i] = (*h)[last]
		(*h)[i].place = int32(i)
	}
	(*h)[last] = nil
	*h = (*h)[:last]
	if i < last {
		h.up(h.down(i))
	}
}

func (h timers) up(i int) {
	for i > 0 && h[i].deadline < h[(i-1)/2].deadline {
		h.swap(i, (i-1)/2)
		i = (i - 1) / 2
	}
}

// down returns where the task at i has come to stand.
func (h timers) down(i int) int {
	for {
		least := i
		for child := 2*i + 1; child <= 2*i+2 && child < len(h); child++ {
			if h[child].deadline < h[least].deadline {
				least = child
			}
		}
		if least == i {
			return i
		}
		h.swap(i, least)
		i = least
	}
}

func (h timers) swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].place, h[j].place = int32(i), int32(j)
}
