package embedded

import (
	"context"
	"sync"
)

// budget bounds what was read and is not the script's yet.
type budget struct {
	mu    sync.Mutex
	taken int64
	freed chan struct{} // closed when something is given back
}

// take waits until so much can be taken, unless the context ends.
func (b *budget) take(ctx context.Context, size, most int64) bool {
	for {
		b.mu.Lock()
		if b.taken == 0 || b.taken+size <= most {
			b.taken += size
			b.mu.Unlock()
			return true
		}
		if b.freed == nil {
			b.freed = make(chan struct{})
		}
		freed := b.freed
		b.mu.Unlock()
		select {
		case <-freed:
		case <-ctx.Done():
			return false
		}
	}
}

// held is what was read, until the script has it.
type held struct {
	data   []byte
	size   int64
	budget *budget
}

// Bytes are what the script gets.
func (h *held) Bytes() []byte { return h.data }

// Release makes room for others.
func (h *held) Release() {
	h.budget.mu.Lock()
	defer h.budget.mu.Unlock()
	h.budget.taken -= h.size
	if h.budget.freed != nil {
		close(h.budget.freed)
		h.budget.freed = nil
	}
}
