package l4sticky

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/caddy-sticky/caddy-sticky/caddyfile/parse"
	"github.com/caddy-sticky/caddy-sticky/l4sticky/stores"
)

func init() {
	caddy.RegisterModule(new(MemoryStore))
}

const (
	// storeKey is where a session store's JSON has its name.
	storeKey = "store"
	// memoryStore is the name of the store that shares nothing.
	memoryStore = "memory"
	// storePatience is how long the load of a config waits for a store that is required.
	storePatience = 5 * time.Second
)

// MemoryStore is the session store of a process that shares its sessions with no other. It is what a pool has without any.
// It has no options.
type MemoryStore struct{}

// CaddyModule returns the Caddy module information.
func (*MemoryStore) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  stores.Namespace + "." + memoryStore,
		New: func() caddy.Module { return new(MemoryStore) },
	}
}

// UnmarshalJSON refuses options, as there are none.
func (*MemoryStore) UnmarshalJSON(data []byte) error {
	return parse.Options{}.ReadJSON(data, new(struct{}))
}

// UnmarshalCaddyfile sets up the MemoryStore from Caddyfile tokens. Syntax:
//
//	memory
func (*MemoryStore) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return parse.Options{}.ReadModule(d, "session_store memory")
}

// sharesSessions reports whether there is a session store that other processes use, too.
func (o *Options) sharesSessions() bool {
	return o.SessionStoreRaw != nil && parse.GuestName(o.SessionStoreRaw, storeKey) != memoryStore
}

// An openStore is the session store of a config. It lives in a context of its own: when Caddy exits, the store is told of the connections that
// end after the config has. Whoever uses it has a reference.
type openStore struct {
	stores.Store
	key   any // the same for stores with the same options
	refs  atomic.Int32
	close context.CancelFunc
}

// openSessionStore returns the store that options name, with one reference, or nil for memory. It returns an error if the store is
// wrong, or if it is required and can't be used.
func openSessionStore(ctx caddy.Context, o Options) (*openStore, error) {
	if o.SessionStoreRaw == nil {
		return nil, nil
	}
	shares, key := o.sharesSessions(), o.storeKey() // Caddy clears what it loads
	own, cancel := caddy.NewContext(ctx)
	module, err := own.LoadModule(&o, "SessionStoreRaw")
	if err != nil {
		cancel()
		return nil, fmt.Errorf("session_store: %w", err)
	}
	if !shares {
		cancel()
		return nil, nil
	}
	store, ok := module.(stores.Store)
	if !ok {
		cancel()
		return nil, fmt.Errorf("session_store: %T is no session store", module)
	}
	s := &openStore{Store: store, key: key, close: cancel}
	s.refs.Store(1)
	if o.StoreRequired {
		if err := s.check(o.Pool); err != nil {
			s.release()
			return nil, fmt.Errorf("session_store: the store is required, and it can't be used: %w", err)
		}
	}
	return s, nil
}

// storeKey tells the session store of options from others.
func (o *Options) storeKey() any {
	return parse.Guest(o.SessionStoreRaw, storeKey)
}

// check uses the store once. It returns an error if it does not work.
func (s *openStore) check(pool string) error {
	ctx, cancel := context.WithTimeout(context.Background(), storePatience)
	defer cancel()
	_, err := s.Meet(ctx, pool, stores.Node{ID: node.id + "-check", Host: node.host, Leaving: true})
	return err
}

// use returns the store with one more reference.
func (s *openStore) use() *openStore {
	s.refs.Add(1)
	return s
}

// release gives a reference back. It does nothing for nil.
func (s *openStore) release() {
	if s != nil && s.refs.Add(-1) == 0 {
		s.close()
	}
}

// Interface guards
var _ caddyfile.Unmarshaler = (*MemoryStore)(nil)
