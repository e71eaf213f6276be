package decide

import (
	"cmp"
	"context"
	"log/slog"
	"net/netip"
	"time"
)

// Client is a connection that a script decides about.
type Client struct {
	// Remote and Local are the two ends of the connection.
	Remote, Local netip.AddrPort
	// OnEnd has f called once when the connection is over, be it long after it was let in: then the
	// script's socket emits 'close'. It returns what takes that back. It is called only for clients to whose
	// socket the script listens. If it is nil, that event comes only to clients that are not let in.
	OnEnd func(f func()) (stop func())
	// Kick ends the connection, at any time after the client was let in. If it is nil, the script's socket throws instead.
	// An engine calls it, so it must not block.
	Kick func()
}

// The flags of a client tell the script what can be done with it once it was let in; js/balancer.js has them, too.
const (
	kickable = 1 << iota
	followed
)

// Flags returns the client's flags.
func (c *Client) Flags() (flags byte) {
	if c.Kick != nil {
		flags |= kickable
	}
	if c.OnEnd != nil {
		flags |= followed
	}
	return flags
}

// AppendAddress appends an address as Node.js writes it on a listener for both IPv4 and IPv6, which is how scripts know it.
func AppendAddress(text []byte, a netip.Addr) []byte {
	if a = a.Unmap(); a.Is4() {
		text = append(text, "::ffff:"...)
	}
	return a.AppendTo(text)
}

// Targets is what a script may ask of the balancer about its targets, which are given as `host:port`. Both functions
// are called by engines, and must not block. An error is thrown in the script.
type Targets interface {
	// IsActive reports whether a target gets new connections.
	IsActive(address string) (bool, error)
	// Deactivate has a target get none for a while.
	Deactivate(address string) error
}

// Options are the settings of a script. The zero value is usable.
type Options struct {
	// Logger gets what the script prints and what goes wrong in it. The default discards it.
	Logger *slog.Logger
	// RunLimit is how long the script may compute without a pause on behalf of one client, by default 1
	// second. Work that is done for no client, such as timers set when the script was loaded, may take FreeRuns times that,
	// and loading LoadRuns times.
	RunLimit time.Duration
	// MemoryLimit bounds the memory of the script, in bytes. The default is 256 MiB.
	MemoryLimit int64
	// Targets is asked about targets once the script is loaded. If it is nil, the script's calls throw an error that says so.
	Targets Targets
}

// FreeRuns and LoadRuns say how many times the RunLimit work may take that is done for no client, and loading.
const (
	FreeRuns = 5
	LoadRuns = 20
)

// withDefaults returns the options with what is not set.
func (o Options) withDefaults() Options {
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	o.RunLimit = cmp.Or(o.RunLimit, time.Second)
	o.MemoryLimit = cmp.Or(o.MemoryLimit, 256<<20)
	return o
}

// A Runtime starts engines.
type Runtime interface {
	// Start loads the script and returns an engine when that may decide: the script's run function is done, and what the
	// script has begun to read meanwhile is there. An error names the file and the line at fault. Start returns
	// soon after the context ended. The context says nothing about the engine once Start has returned.
	Start(ctx context.Context, s *Script) (Engine, error)
}

// An Engine is one run of a script. It knows clients by their numbers, which grow. Decide and Left are called with a lock of
// the Script, so they must neither block nor call it.
type Engine interface {
	// Decide asks the script about a client that waits. The engine gives the answer to Script.Settle. The client is valid
	// for the call.
	Decide(number uint32, c *Client)
	// Left tells the script that a client went, before it was decided about or after it was let in.
	Left(number uint32)
	// Done returns a channel that is closed when the engine has failed and decides no more. Before that, the engine keeps out
	// the clients whose fault it was.
	Done() <-chan struct{}
	// Err returns why the engine is done.
	Err() error
	// Shut ends the engine, also one that is done, and waits for its end for a short while.
	Shut(reason error)
}
