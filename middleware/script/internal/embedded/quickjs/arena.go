//go:build (darwin || freebsd || linux || windows) && (amd64 || arm64)

package quickjs

import (
	"math/bits"
	"sync"
	"unsafe"
)

const (
	headSize = unsafe.Sizeof(head{})
	unit     = 16                               // sizes and addresses of blocks are multiples of it
	smallest = unsafe.Sizeof(freeBlock{})       // of blocks
	step     = 1 << 20                          // by which the used part of the region grows
	maxTries = 32                               // blocks of one size class that are looked at
	classes  = bits.UintSize * classesPerDouble // of free blocks
)

const (
	classBits        = 2
	classesPerDouble = 1 << classBits
	used             = 1 // the bit in a block's size
)

// arena hands out blocks of one region of memory. A block begins with a head; free neighbours are one block.
type arena struct {
	mu     sync.Mutex // guards region against kill
	region region
	closed bool

	base, top, usable, end uintptr // blocks are in base to top; memory up to usable can be accessed
	last                   uintptr // size of the block before top
	free                   [classes]uintptr
	inUse                  uintptr
	exhausted              bool
}

// head begins a block. Before is the size of the block in front of it, or 0.
type head struct{ size, before uintptr }

type freeBlock struct {
	head
	next, previous uintptr // of its class
}

// at is what is at an address outside of Go's memory.
func at[T any](address uintptr) *T { return (*T)(unsafe.Add(unsafe.Pointer(nil), address)) }

// bytesAt are n bytes at an address outside of Go's memory.
func bytesAt(address, n uintptr) []byte { return unsafe.Slice(at[byte](address), n) }

func newArena(limit int64) (*arena, error) {
	size := (uintptr(limit) + step - 1) &^ (step - 1)
	r, err := reserve(size)
	if err != nil {
		return nil, err
	}
	return &arena{region: r, base: r.base(), top: r.base(), usable: r.base(), end: r.base() + size}, nil
}

// kill makes every access to the region panic.
func (a *arena) kill() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.closed {
		_ = a.region.protect()
	}
	a.closed = true // nothing of it can be used any more
}

func (a *arena) close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.closed = true
	a.region.release()
}

// grow makes the region accessible up to an address.
func (a *arena) grow(to uintptr) bool {
	if to <= a.usable {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	to = min(a.end, (to+step-1)&^(step-1))
	if a.closed || a.region.commit(a.usable-a.base, to-a.usable) != nil {
		return false
	}
	a.usable = to
	return true
}

// sizeClass is the list that a free block of a size belongs to.
func sizeClass(size uintptr) int {
	n := bits.Len64(uint64(size))
	return n<<classBits | int(size>>(n-1-classBits))&(classesPerDouble-1)
}

func (a *arena) link(block, size, before uintptr) {
	list := &a.free[sizeClass(size)]
	*at[freeBlock](block) = freeBlock{head: head{size, before}, next: *list}
	if *list != 0 {
		at[freeBlock](*list).previous = block
	}
	*list = block
}

func (a *arena) unlink(block uintptr) {
	b := at[freeBlock](block)
	if b.previous != 0 {
		at[freeBlock](b.previous).next = b.next
	} else {
		a.free[sizeClass(b.size)] = b.next
	}
	if b.next != 0 {
		at[freeBlock](b.next).previous = b.previous
	}
}

// noteBefore tells the block behind the one that ends at an address of that one's size.
func (a *arena) noteBefore(end, size uintptr) {
	if end < a.top {
		at[head](end).before = size
	} else {
		a.last = size
	}
}

func (a *arena) malloc(n uintptr) uintptr {
	if n > a.end-a.base {
		a.exhausted = true
		return 0
	}
	size := max(smallest, (n+headSize+unit-1)&^(unit-1))
	block := a.find(size)
	if block == 0 {
		if a.end-a.top < size || !a.grow(a.top+size) {
			a.exhausted = true
			return 0
		}
		block = a.top
		*at[head](block) = head{size, a.last}
		a.top += size
		a.last = size
	}
	a.inUse += at[head](block).size
	at[head](block).size |= used
	return block + headSize
}

// find takes a block of at least a size out of the free ones, or returns 0.
func (a *arena) find(size uintptr) uintptr {
	for c, tries := sizeClass(size), maxTries; c < classes; c, tries = c+1, 1 { // any block of a larger class is large enough
		for block := a.free[c]; block != 0 && tries > 0; tries-- {
			if at[head](block).size >= size {
				a.unlink(block)
				a.split(block, size)
				return block
			}
			block = at[freeBlock](block).next
		}
	}
	return 0
}

// split makes a free block of what of a block is beyond a size, if that is worth it.
func (a *arena) split(block, size uintptr) {
	b := at[head](block)
	if rest := b.size - size; rest >= 2*smallest {
		a.link(block+size, rest, size)
		a.noteBefore(block+b.size, rest)
		b.size = size
	}
}

func (a *arena) release(address uintptr) {
	if address == 0 {
		return
	}
	block := address - headSize
	size, before := at[head](block).size&^used, at[head](block).before
	a.inUse -= size
	if before != 0 && at[head](block-before).size&used == 0 {
		block -= before
		a.unlink(block)
		size += before
		before = at[head](block).before
	}
	if next := block + size; next < a.top && at[head](next).size&used == 0 {
		a.unlink(next)
		size += at[head](next).size
	}
	if block+size == a.top {
		a.top, a.last = block, before
		return
	}
	a.link(block, size, before)
	at[head](block + size).before = size
}

func usable(address uintptr) uintptr { return at[head](address-headSize).size&^used - headSize }

func (a *arena) realloc(address, n uintptr) uintptr {
	switch {
	case address == 0:
		return a.malloc(n)
	case n == 0:
		a.release(address)
		return 0
	case n > a.end-a.base:
		a.exhausted = true
		return 0
	}
	have := usable(address)
	if n <= have && n >= have/2 {
		return address
	}
	if more := (n - have + unit - 1) &^ (unit - 1); n > have && address+have == a.top && a.end-a.top >= more && a.grow(a.top+more) {
		at[head](address - headSize).size += more
		a.top += more
		a.last += more
		a.inUse += more
		return address
	}
	moved := a.malloc(n)
	if moved != 0 {
		copy(bytesAt(moved, min(n, have)), bytesAt(address, min(n, have)))
		a.release(address)
	}
	return moved
}
