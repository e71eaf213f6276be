package stores

import (
	"context"
	"net/netip"
	"time"
)

// Namespace is that of the modules.
const Namespace = "layer4.sticky.stores"

// A Store keeps the sessions of pools, what operators have set for their targets, and which nodes there are. A pool is known by its name;
// what is kept for one has nothing to do with another.
type Store interface {
	// Update does what each of the updates of a node says, and puts into it what has come of that. Each is done at once and whole, whatever
	// other nodes do meanwhile; several for one client are done in their order. An error means that any of them may not have been
	// done.
	Update(ctx context.Context, pool, node string, updates []Update) error

	// Meet notes that a node is there, and returns what there is. A node that has not been noted for longer than three times what it
	// says is its Interval is forgotten, and so is one at once that is Leaving.
	Meet(ctx context.Context, pool string, node Node) (Meeting, error)

	// Set keeps what an operator has set for a target, and tells the other nodes. If missing, it does so only where nothing was kept for the
	// target.
	Set(ctx context.Context, pool, node, target, setting string, missing bool) error

	// Listen calls hear with all news that other nodes cause, in their order and one at a time, until the context ends, or until news may
	// have been missed: then it returns an error, and is called again after a pause. It calls hear with the zero value once it
	// misses nothing from then on.
	Listen(ctx context.Context, pool, node string, hear func(News)) error
}

// An Update is what a node says of one session, or asks: a client that has no session gets this one.
//
// The session in the store counts, if there is one, unless it is at the Target already, or at the one that is replaced. Then, and if there is none,
// it is at the Target from then on. Live and TTL are about the session that counts, whichever that is.
type Update struct {
	// Client has the session. It may have a zone.
	Client netip.Addr
	// Target is the address of the client's target. If it is empty, the session is forgotten, unless it counts: then it stays.
	Target string
	// Replaces is the address of the target that the client has left. If it is empty, the first one stays that was noted.
	Replaces string
	// Any means that the session is replaced, or forgotten, whatever its target was.
	Any bool
	// Live means that the client has connections at the node. It does until an update of the node says otherwise, or the
	// TTL is over.
	Live bool
	// TTL is how long the session is kept at least, from now on. If the node was the last one at which the client had connections, and it has none
	// any more, the session is kept exactly so long. It is above zero.
	TTL time.Duration

	// Kept is the target that the client has in the store now. It is empty if the session was forgotten.
	Kept string
	// Known reports whether the client had a session in the store before.
	Known bool
}

// A Node is a balancer that uses the store.
type Node struct {
	// ID is different for each process.
	ID string
	// Host is the name of its machine.
	Host string
	// Connections are those of the pool that are open at the node.
	Connections int
	// Interval is the time between two calls of Meet.
	Interval time.Duration
	// Leaving means that the node is about to end.
	Leaving bool
	// Seen is how long ago the node was noted, by the store's clock. Meet does not read it.
	Seen time.Duration
}

// A Meeting is what a node learns when it is noted.
type Meeting struct {
	// Nodes are all that are there, the caller too, in any order.
	Nodes []Node
	// Settings are what operators have set, by the addresses of the targets.
	Settings map[string]string
	// Generation is another one after the store has lost what it kept.
	Generation string
}

// News tells what another node has changed. The zero value tells that nothing is missed from now on.
type News struct {
	// Client is the one whose session was moved to the Target, or forgotten if that is empty. It is invalid if an operator has
	// set something for the Target.
	Client netip.Addr
	Target string
	// Setting is what was set.
	Setting string
}
