package session

import "net/netip"

// minSlots is the size of the smallest index, a power of two like all sizes.
const minSlots = 8

// An index finds sessions by client. It is a hash table with linear probing (Knuth, The Art of Computer
// Programming, vol. 3, 6.4, algorithms L and R) over pointers, as the sessions hold their keys
// and hashes: a third of what a map with the key in it takes. It grows by doubling and gives its memory
// back when it is empty: to shrink in steps would allocate, and so may wait for the garbage collector,
// while sessions expire with the lock held.
type index[T comparable] struct {
	slots []*Session[T] // at most three quarters are taken
	count int
}

func (x *index[T]) home(hash uint32) int {
	return int(hash>>shardBits) & (len(x.slots) - 1)
}

// find returns the client's session, or nil.
func (x *index[T]) find(client netip.Addr, hash uint32) *Session[T] {
	if x.count == 0 {
		return nil
	}
	for i := x.home(hash); ; i = (i + 1) & (len(x.slots) - 1) {
		s := x.slots[i]
		if s == nil || s.hash == hash && s.client == client {
			return s
		}
	}
}

// insert adds a session whose client has none.
func (x *index[T]) insert(s *Session[T]) {
	if 4*(x.count+1) > 3*len(x.slots) {
		x.grow()
	}
	x.count++
	x.put(s)
}

func (x *index[T]) put(s *Session[T]) {
	i := x.home(s.hash)
	for x.slots[i] != nil {
		i = (i + 1) & (len(x.slots) - 1)
	}
	x.slots[i] = s
}

// remove takes a session out that is in the index.
func (x *index[T]) remove(s *Session[T]) {
	mask := len(x.slots) - 1
	hole := x.home(s.hash)
	for x.slots[hole] != s {
		hole = (hole + 1) & mask
	}
	x.slots[hole] = nil
	x.count--
	// Those behind the hole move up, unless they would come to stand before their home.
	for i := (hole + 1) & mask; x.slots[i] != nil; i = (i + 1) & mask {
		if (i-x.home(x.slots[i].hash))&mask >= (i-hole)&mask {
			x.slots[hole], x.slots[i] = x.slots[i], nil
			hole = i
		}
	}
	if x.count == 0 {
		x.slots = nil // gives a past peak's memory back
	}
}

func (x *index[T]) grow() { x.moveTo(make([]*Session[T], max(minSlots, 2*len(x.slots)))) }

// moveTo puts the sessions into slots that are empty, and more than there are.
func (x *index[T]) moveTo(slots []*Session[T]) {
	old := x.slots
	x.slots = slots
	for _, s := range old {
		if s != nil {
			x.put(s)
		}
	}
}

// slotsFor returns how many slots there are when so many sessions are in the index, or more.
func (x *index[T]) slotsFor(count int) int {
	slots := max(minSlots, len(x.slots))
	for 4*count > 3*slots {
		slots *= 2
	}
	return slots
}
