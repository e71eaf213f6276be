package relay

import "math"

// never is a time that does not come.
const never = math.MaxInt64

// timers is a binary heap of the pairs that wait for a time, the next one first. A pair knows its place in it, so
// that one without a deadline costs nothing.
type timers []*pair

// set changes the pair's deadline.
func (h *timers) set(p *pair, deadline int64) {
	if p.deadline == deadline {
		return
	}
	p.deadline = deadline
	switch {
	case deadline == never:
		h.remove(int(p.place))
	case p.place < 0:
		p.place = int32(len(*h))
		*h = append(*h, p)
		h.up(int(p.place))
	default:
		h.up(h.down(int(p.place)))
	}
}

// next returns the first deadline.
func (h timers) next() int64 {
	if len(h) == 0 {
		return never
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

// down returns where the pair at i has come to stand.
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
