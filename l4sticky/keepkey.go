package l4sticky

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/zap"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/persist"
)

const (
	// keptFolder is where the storage has the sessions of all nodes and pools.
	keptFolder = "sticky/sessions"
	// longestName is how long a part of a key may be; file systems allow 255.
	longestName = 150
	// asideKept is how many files of a pool that are set aside are kept, the newest.
	asideKept = 3
)

// storageKey returns the key of the sessions of a pool on this host, since several may share a storage.
func storageKey(pool string) string {
	return path.Join(keptFolder, safeName(cmp.Or(node.host, "localhost")), safeName(pool))
}

// safeName returns a name for a text that is safe as the name of a file, also where upper and lower case are the same. Any two texts
// have different names. The character ~ is in none of them.
func safeName(text string) string {
	var b strings.Builder
	for i := range len(text) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '-', c == '_', c == '.' && i > 0 && i < len(text)-1:
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02x", c)
		}
	}
	name := cmp.Or(b.String(), "%")
	if len(name) > longestName {
		return fmt.Sprintf("%s%%%%%016x", name[:longestName-18], xxhash.Sum64String(text))
	}
	return name
}

// setAside stores what can't be read under another key, and tells so. Of these files the newest are kept.
func (k *keptConfig) setAside(ctx context.Context, key string, data []byte, why error) {
	kind := "damaged"
	switch {
	case errors.Is(why, persist.ErrForeign):
		kind = "foreign"
	case errors.Is(why, persist.ErrFuture):
		kind = "future"
	}
	aside := fmt.Sprintf("%s~%s~%s", key, time.Now().UTC().Format("20060102t150405.000"), kind)
	err := k.storage.Store(ctx, aside, data)
	if err == nil {
		err = k.storage.Delete(ctx, key)
	}
	if err != nil {
		k.log().Warn("sessions that can't be read could not be set aside", zap.String("key", key), zap.String("reason", why.Error()), zap.Error(err))
		return
	}
	k.log().Warn("sessions that can't be read were set aside", zap.String("key", aside), zap.String("reason", why.Error()))
	k.forgetAside(ctx, key)
}

// forgetAside deletes the oldest of the files that are set aside. Failures do no harm.
func (k *keptConfig) forgetAside(ctx context.Context, key string) {
	keys, err := k.storage.List(ctx, path.Dir(key), false)
	if err != nil {
		return
	}
	keys = slices.DeleteFunc(keys, func(other string) bool { return !strings.HasPrefix(path.Base(other), path.Base(key)+"~") })
	slices.Sort(keys)
	for _, old := range keys[:max(0, len(keys)-asideKept)] {
		_ = k.storage.Delete(ctx, old)
	}
}

// lastWrites are the pools that have ended and whose sessions are being written.
var lastWrites writes

type writes struct {
	mu   sync.Mutex
	done map[string]chan struct{} // by the pool, closed when all of its sessions are written
}

// begin returns what is to be called when the sessions of a pool are written.
func (w *writes) begin(pool string) (written func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.done == nil {
		w.done = make(map[string]chan struct{})
	}
	before, done := w.done[pool], make(chan struct{})
	w.done[pool] = done
	return func() {
		if before != nil {
			<-before
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.done[pool] == done {
			delete(w.done, pool)
		}
		close(done)
	}
}

// of returns a channel that is closed when the sessions of a pool are written, or nil if they are.
func (w *writes) of(pool string) chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.done[pool]
}

// await waits until the sessions of a pool are written, or the context ends.
func (w *writes) await(ctx context.Context, pool string) {
	if done := w.of(pool); done != nil {
		select {
		case <-done:
		case <-ctx.Done():
		}
	}
}

// awaitAll waits until the sessions of all pools are written, or the context ends.
func (w *writes) awaitAll(ctx context.Context) {
	w.mu.Lock()
	var pools []string
	for pool := range w.done {
		pools = append(pools, pool)
	}
	w.mu.Unlock()
	for _, pool := range pools {
		w.await(ctx, pool)
	}
}
