//go:build (darwin || freebsd || linux || windows) && (amd64 || arm64)

package quickjs

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

// check walks over the blocks, which must fill the region: no two free ones side by side, and each free one in the list of its class.
func (a *arena) check(t *testing.T) {
	t.Helper()
	listed := make(map[uintptr]bool)
	for class, block := range a.free {
		for previous := uintptr(0); block != 0; previous, block = block, at[freeBlock](block).next {
			if b := at[freeBlock](block); b.previous != previous || sizeClass(b.size) != class {
				t.Fatalf("a free block of %d bytes is not as the list of class %d says", b.size, class)
			}
			listed[block] = true
		}
	}
	before, wasFree, inUse := uintptr(0), false, uintptr(0)
	block := a.base
	for block < a.end {
		b := at[head](block)
		size, isFree := b.size&^used, b.size&used == 0
		if b.before != before || size < smallest || size%unit != 0 {
			t.Fatalf("a block of %d bytes has %d before it instead of %d", size, b.before, before)
		}
		if isFree != listed[block] || isFree && wasFree {
			t.Fatalf("block of %d bytes: free %v, listed %v, behind a free one %v", size, isFree, listed[block], wasFree)
		}
		if !isFree {
			inUse += size
		}
		before, wasFree = size, isFree
		block += size
	}
	if block != a.end || at[head](a.end).before != before || a.inUse != inUse {
		t.Fatalf("the blocks end at %#x instead of %#x, with %d bytes in use instead of %d", block, a.end, a.inUse, inUse)
	}
}

func TestArena(t *testing.T) {
	const limit = 4 << 20
	a, err := newArena(limit)
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	type block struct{ address, size uintptr }
	var blocks []block
	mark := func(b block) byte { return byte(b.address>>4) ^ byte(b.size) }
	fill := func(b block) {
		if b.address%unit != 0 {
			t.Fatalf("a block is at %#x", b.address)
		}
		copy(bytesAt(b.address, b.size), bytes.Repeat([]byte{mark(b)}, int(b.size)))
	}
	holds := func(b block, n uintptr, with byte) {
		if bytes.Count(bytesAt(b.address, n), []byte{with}) != int(n) {
			t.Fatalf("%d bytes at %#x are not as they were written", n, b.address)
		}
	}
	random, refused := rand.New(rand.NewPCG(1, 2)), 0
	for range 20000 {
		size := uintptr(1) << random.IntN(18)
		size += uintptr(random.IntN(int(size)))
		i := 0
		if len(blocks) > 0 {
			i = random.IntN(len(blocks))
		}
		switch random.IntN(5) {
		case 0, 1:
			if b := (block{a.malloc(size), size}); b.address != 0 {
				fill(b)
				blocks = append(blocks, b)
			} else {
				refused++
			}
		case 2:
			if len(blocks) == 0 {
				continue
			}
			old := blocks[i]
			b := block{a.realloc(old.address, size), size}
			if b.address == 0 {
				holds(old, old.size, mark(old))
				refused++
				continue
			}
			holds(b, min(size, old.size), mark(old))
			fill(b)
			blocks[i] = b
		default:
			if len(blocks) == 0 {
				continue
			}
			holds(blocks[i], blocks[i].size, mark(blocks[i]))
			a.release(blocks[i].address)
			blocks[i] = blocks[len(blocks)-1]
			blocks = blocks[:len(blocks)-1]
		}
		a.check(t)
	}
	if refused == 0 {
		t.Error("the arena was never full")
	}
	for _, n := range []uintptr{limit, 1 << 40, ^uintptr(0)} {
		if a.malloc(n) != 0 || a.realloc(blocks[0].address, n) != 0 || !a.exhausted {
			t.Errorf("%d bytes were had of %d", n, limit)
		}
	}
	for _, b := range blocks {
		holds(b, b.size, mark(b))
		a.release(b.address)
	}
	if a.check(t); a.inUse != 0 || at[head](a.base).size != a.end-a.base {
		t.Errorf("%d bytes are in use at the end, and the first block has %d", a.inUse, at[head](a.base).size)
	}
	// All of it can be had in one piece, which grows where it is.
	whole := a.malloc(a.end - a.base - headSize - 4096)
	if whole == 0 || a.realloc(whole, a.end-a.base-headSize) != whole {
		t.Error("the arena cannot be had in one piece")
	}
	a.check(t)
}
