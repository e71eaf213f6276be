//go:build (darwin || freebsd || linux || windows) && (amd64 || arm64)

package quickjs

import (
	"errors"
	"math/bits"
	"sync"
	"unsafe"
)

const (
	headSize = unsafe.Sizeof(head{})
	unit     = 16                         // sizes and addresses of blocks are multiples of it
	smallest = unsafe.Sizeof(freeBlock{}) // of blocks
	step     = 1 << 20                    // by which the used part of the region grows
	maxTries = 32                         // blocks of one size class that are looked at
	used     = 1                          // the bit in a block's size

	classesPerDouble = 1 << classBits
	classBits        = 2
)

// arena hands out blocks of one region of memory, which lie side by side from its base to its end. Free neighbours are one
// block. QuickJS has its small objects in blocks of 4 KiB, so there are few that are smaller than 512 bytes.
type arena struct {
	mu     sync.Mutex // guards region against kill
	region region
	closed bool

	base, usable, end uintptr                                   // the memory up to usable can be accessed
	free              [bits.UintSize * classesPerDouble]uintptr // the first free block of each class of sizes
	inUse             uintptr
	exhausted         bool
}

// head begins a block, and stands behind the last one. Before is the size of the block in front of it, or 0.
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
	if err := errors.Join(r.commit(0, step), r.commit(size-step, step)); err != nil {
		r.release()
		return nil, err
	}
	a := &arena{region: r, base: r.base(), usable: r.base() + step, end: r.base() + size - unit}
	at[head](a.end).size = used
	a.link(a.base, a.end-a.base, 0)
	return a, nil
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
	if to = min(to, a.end+unit); to <= a.usable {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	to = (to + step - 1) &^ (step - 1)
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

// link makes a block a free one.
func (a *arena) link(block, size, before uintptr) {
	list := &a.free[sizeClass(size)]
	*at[freeBlock](block) = freeBlock{head: head{size, before}, next: *list}
	if *list != 0 {
		at[freeBlock](*list).previous = block
	}
	*list = block
	at[head](block + size).before = size
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

// sizeFor is the size of a block that has room for n bytes, or of one that there cannot be.
func (a *arena) sizeFor(n uintptr) uintptr {
	return max(smallest, (min(n, a.end-a.base)+headSize+unit-1)&^(unit-1))
}

func (a *arena) malloc(n uintptr) uintptr {
	size := a.sizeFor(n)
	block := a.find(size)
	if block == 0 || !a.grow(block+size+smallest) {
		a.exhausted = true
		return 0
	}
	a.unlink(block)
	b := at[head](block)
	a.inUse += b.size
	b.size |= used
	a.trim(block, size)
	return block + headSize
}

// find returns a free block of at least a size, or 0.
func (a *arena) find(size uintptr) uintptr {
	for c, tries := sizeClass(size), maxTries; c < len(a.free); c, tries = c+1, 1 { // any block of a larger class is large enough
		for block := a.free[c]; block != 0 && tries > 0; tries-- {
			if at[head](block).size >= size {
				return block
			}
			block = at[freeBlock](block).next
		}
	}
	return 0
}

// trim makes a free block of what of a block in use is beyond a size.
func (a *arena) trim(block, size uintptr) {
	b := at[head](block)
	if rest := b.size&^used - size; rest >= smallest {
		b.size = size | used
		*at[head](block + size) = head{rest | used, size}
		a.release(block + size + headSize)
	}
}

func (a *arena) release(address uintptr) {
	block := address - headSize
	size, before := at[head](block).size&^used, at[head](block).before
	a.inUse -= size
	if next := block + size; at[head](next).size&used == 0 {
		a.unlink(next)
		size += at[head](next).size
	}
	if before != 0 && at[head](block-before).size&used == 0 {
		block -= before
		a.unlink(block)
		size += before
		before = at[head](block).before
	}
	a.link(block, size, before)
}

func (a *arena) realloc(address, n uintptr) uintptr {
	size, block := a.sizeFor(n), address-headSize
	have := at[head](block).size &^ used
	next := block + have
	if more := at[head](next).size; have < size && more&used == 0 && have+more >= size && a.grow(block+size+smallest) {
		a.unlink(next)
		a.inUse += more
		have += more
		at[head](block).size = have | used
		at[head](block + have).before = have
	}
	if have >= size {
		a.trim(block, size)
		return address
	}
	moved := a.malloc(n)
	if moved != 0 {
		copy(bytesAt(moved, n), bytesAt(address, have-headSize))
		a.release(address)
	}
	return moved
}
