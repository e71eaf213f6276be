package search

import (
	"math"
	"time"

	"github.com/caddy-sticky/caddy-sticky/l4sticky/internal/flow"
)

// Never is a time that does not come. All times are those of the executor's monotonic clock.
const Never time.Duration = math.MaxInt64

// askAgain is how often a picker is asked what to do about a dial that is late.
const askAgain = 50 * time.Millisecond

// Times bound the dials of a search.
type Times struct {
	// Timeout is how long a target may take to accept.
	Timeout time.Duration
	// Late is after how long a dial is late.
	Late time.Duration
}

// An ID tells the dials of one search apart. The zero value is none.
type ID uint32

// A Kind is what an executor has to do.
type Kind uint8

const (
	// Wait means that there is nothing to do until an event, or until the time in Until.
	Wait Kind = iota
	// Connect means that a target is to be dialled. Accepted or Failed tells how that ends, unless it is closed before.
	Connect
	// Close means that the connection of a dial is to be closed, or the dial to be given up.
	Close
	// Take means that the client is to be relayed with the connection of a dial. The search is over.
	Take
	// GiveUp means that the client is to be closed, for the error if there is one, and that Lost is to be called then. The
	// search is over.
	GiveUp
)

// An Action is one thing that an executor has to do.
type Action struct {
	Kind        Kind
	ID          ID               // of the dial, but for Wait and GiveUp
	Dial        Dial             // likewise
	Until       time.Duration    // Wait
	Established flow.Established // Take
	Err         error            // GiveUp
}
