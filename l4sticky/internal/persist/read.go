package persist

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Why bytes are of no use.
var (
	// ErrForeign means that they are something else, or the sessions of another pool.
	ErrForeign = errors.New("these are not sessions of the pool")
	// ErrFuture means that a newer version has written them.
	ErrFuture = errors.New("a newer version has written the sessions")
	// ErrDamaged means that they are not what was written: something is missing or changed.
	ErrDamaged = errors.New("the sessions are damaged")
)

// minSession is how many bytes a session takes at least.
const minSession = 1 + 4 + 1 + 1 + 1

// A File has the sessions of a pool in bytes.
type File struct {
	// Written is when the sessions were written.
	Written time.Time

	count   uint64
	targets []string
	rest    reader // from the first session on
}

// Open returns the sessions of a pool that a Writer has put into bytes. The bytes must not be changed while the File is in use.
func Open(pool string, data []byte) (*File, error) {
	head := magic[:min(len(magic), len(data))]
	switch {
	case string(data[:len(head)]) != head:
		return nil, ErrForeign
	case len(data) <= len(magic):
		return nil, fmt.Errorf("%w: only %d bytes are left", ErrDamaged, len(data))
	case data[len(magic)] > version:
		return nil, fmt.Errorf("%w: it is %d, and %d is known", ErrFuture, data[len(magic)], version)
	case data[len(magic)] < version:
		return nil, fmt.Errorf("%w: there was no version %d", ErrForeign, data[len(magic)])
	}
	end := len(data) - checksumSize
	if end <= len(magic) || binary.LittleEndian.Uint64(data[end:]) != xxhash.Sum64(data[:end]) {
		return nil, fmt.Errorf("%w: the checksum of %d bytes is wrong", ErrDamaged, len(data))
	}
	return open(pool, reader{data: data[len(magic)+1 : end]})
}

// open is Open from the pool's name on.
func open(pool string, r reader) (*File, error) {
	if name := r.text(); !r.failed && name != pool {
		return nil, fmt.Errorf("%w: they are those of the pool '%s'", ErrForeign, name)
	}
	f := &File{Written: time.UnixMilli(r.varint())}
	for n := r.count(1); n > 0 && !r.failed; n-- {
		f.targets = append(f.targets, r.text())
	}
	f.count = r.count(minSession)
	if r.failed {
		return nil, errContent
	}
	f.rest = r
	return f, nil
}

// errContent means that the bytes are those that were written, and were wrong then.
var errContent = fmt.Errorf("%w: they make no sense", ErrDamaged)

// Len returns how many sessions there are.
func (f *File) Len() int { return int(f.count) }

// Sessions returns the sessions, those that expire last first. If it comes to one that makes no sense, it ends with an error.
func (f *File) Sessions() iter.Seq2[Session, error] {
	return func(yield func(Session, error) bool) {
		r, expires := f.rest, f.Written.UnixMilli()
		for range f.count {
			s := f.next(&r, &expires)
			if r.failed {
				break
			}
			if !yield(s, nil) {
				return
			}
		}
		if r.failed || len(r.data) > 0 {
			yield(Session{}, errContent)
		}
	}
}

// next returns the next session, behind one that expires at a time.
func (f *File) next(r *reader, expires *int64) (s Session) {
	flags := r.byte()
	s.Client = r.addr(flags)
	target := r.uvarint()
	*expires -= r.varint()
	s.Expires = time.UnixMilli(*expires)
	s.Since = time.UnixMilli(*expires - r.varint())
	s.Moved = flags&flagMoved != 0
	if target >= uint64(len(f.targets)) || flags&^knownFlags != 0 {
		r.failed = true
		return s
	}
	s.Target = f.targets[target]
	return s
}

// A reader takes values from bytes. What it returns is of no use once it has failed.
type reader struct {
	data   []byte
	failed bool
}

// take returns the next n bytes.
func (r *reader) take(n uint64) []byte {
	if r.failed || n > uint64(len(r.data)) {
		r.failed = true
		return nil
	}
	taken := r.data[:n]
	r.data = r.data[n:]
	return taken
}

func (r *reader) byte() byte {
	if taken := r.take(1); taken != nil {
		return taken[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	value, n := binary.Uvarint(r.data)
	r.skip(n)
	return value
}

func (r *reader) varint() int64 {
	value, n := binary.Varint(r.data)
	r.skip(n)
	return value
}

// skip takes the n bytes of a number; without any it was none.
func (r *reader) skip(n int) {
	if n <= 0 {
		r.failed = true
		return
	}
	r.take(uint64(n))
}

// count returns the number of things to come, each of which takes that many bytes at least.
func (r *reader) count(size int) uint64 {
	n := r.uvarint()
	if n > uint64(len(r.data)/size) {
		r.failed = true
	}
	if r.failed {
		return 0
	}
	return n
}

func (r *reader) text() string { return string(r.take(r.uvarint())) }

func (r *reader) addr(flags byte) netip.Addr {
	size := uint64(4)
	if flags&flagIPv6 != 0 {
		size = 16
	}
	a, _ := netip.AddrFromSlice(r.take(size))
	if flags&flagZone == 0 {
		return a
	}
	zone := r.text()
	if !a.Is6() || zone == "" {
		r.failed = true
	}
	return a.WithZone(zone)
}
