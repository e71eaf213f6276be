package persist

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"
)

const (
	magic        = "caddy-sticky sessions\n"
	version      = 1
	checksumSize = 8
)

// The flags of a session.
const (
	flagIPv6 = 1 << iota
	flagZone
	flagMoved

	knownFlags = flagIPv6 | flagZone | flagMoved
)

// A Session binds a client to a target until it expires.
type Session struct {
	Client netip.Addr
	Target string
	// Expires is when the session ends if the client does not come back.
	Expires time.Time
	// Since is when the session began.
	Since time.Time
	// Moved means that the client has left the target where it was placed.
	Moved bool
}

// A Writer puts the sessions of a pool into bytes.
type Writer struct {
	sessions []entry
	targets  []string
	numbers  map[string]uint32 // of the targets
}

// An entry is a session as a Writer holds it: with 48 bytes, since there may be millions.
type entry struct {
	client         netip.Addr
	expires, since int64 // in milliseconds since 1970
	target         uint32
	moved          bool
}

// NewWriter returns a Writer that has room for about so many sessions.
func NewWriter(sessions int) *Writer {
	return &Writer{sessions: make([]entry, 0, sessions), numbers: make(map[string]uint32)}
}

// Add adds a session.
func (w *Writer) Add(s Session) {
	number, known := w.numbers[s.Target]
	if !known {
		number = uint32(len(w.targets))
		w.numbers[s.Target] = number
		w.targets = append(w.targets, s.Target)
	}
	w.sessions = append(w.sessions, entry{s.Client.Unmap(), s.Expires.UnixMilli(), s.Since.UnixMilli(), number, s.Moved})
}

// Bytes returns the sessions of the pool, which were added at about the time of writing. The Writer must not be used any more.
func (w *Writer) Bytes(pool string, written time.Time) []byte {
	order := w.order()
	at := written.UnixMilli()
	to := make([]byte, 0, 256+16*len(order))
	to = append(to, magic...)
	to = append(to, version)
	to = appendText(to, pool)
	to = binary.AppendVarint(to, at)
	to = binary.AppendUvarint(to, uint64(len(w.targets)))
	for _, t := range w.targets {
		to = appendText(to, t)
	}
	to = binary.AppendUvarint(to, uint64(len(order)))
	for _, o := range order {
		to = w.sessions[o.index].appendTo(to, at)
		at = o.expires
	}
	return binary.LittleEndian.AppendUint64(to, xxhash.Sum64(to))
}

// A rank is the place of a session in the order.
type rank struct {
	expires int64
	index   uint32
}

// order returns the sessions that expire last first. To sort the entries themselves takes several times as long.
func (w *Writer) order() []rank {
	order := make([]rank, len(w.sessions))
	for i := range w.sessions {
		order[i] = rank{w.sessions[i].expires, uint32(i)}
	}
	slices.SortFunc(order, func(a, b rank) int { return cmp.Compare(b.expires, a.expires) })
	return order
}

// appendTo appends a session behind one that expires at a time.
func (e *entry) appendTo(to []byte, before int64) []byte {
	flags := byte(0)
	if e.client.Is6() {
		flags |= flagIPv6
	}
	if e.client.Zone() != "" {
		flags |= flagZone
	}
	if e.moved {
		flags |= flagMoved
	}
	to = append(to, flags)
	if flags&flagIPv6 != 0 {
		bytes := e.client.As16()
		to = append(to, bytes[:]...)
	} else {
		bytes := e.client.As4()
		to = append(to, bytes[:]...)
	}
	if flags&flagZone != 0 {
		to = appendText(to, e.client.Zone())
	}
	to = binary.AppendUvarint(to, uint64(e.target))
	to = binary.AppendVarint(to, before-e.expires)
	return binary.AppendVarint(to, e.expires-e.since)
}

func appendText(to []byte, text string) []byte {
	to = binary.AppendUvarint(to, uint64(len(text)))
	return append(to, text...)
}
