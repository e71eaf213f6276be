package integration

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
)

// What clients and targets of the chaos run say to each other: a target greets whoever comes, a client tells who it
// is and how much it will send and wants to get, and both send bytes that depend on the connection, the direction and
// the place, so that every byte is checked where it arrives.

const (
	greetingSize = 16
	helloSize    = 48
	helloMagic   = 0xC4A05EED // its first byte is not that of a PROXY header
	chunkSize    = 64 * kiB
	patternSize  = 1<<20 + 7 // a prime, and so no multiple of what anybody buffers
)

// A greeting is what a target says first: who it is, and which of its connections this is.
type greeting struct {
	target int
	serial uint64
}

func (g greeting) bytes() []byte {
	b := binary.BigEndian.AppendUint32(nil, helloMagic)
	b = binary.BigEndian.AppendUint32(b, uint32(g.target))
	return binary.BigEndian.AppendUint64(b, g.serial)
}

func parseGreeting(b []byte) (g greeting, err error) {
	if binary.BigEndian.Uint32(b) != helloMagic {
		return g, fmt.Errorf("%x is no greeting", b)
	}
	return greeting{int(binary.BigEndian.Uint32(b[4:])), binary.BigEndian.Uint64(b[8:])}, nil
}

// A hello is what a client says first.
type hello struct {
	id       uint64
	ip       netip.Addr
	up, down int64 // how many bytes follow it, and how many are to follow the greeting
	endsUp   bool  // the client ends its direction after that, without waiting for the other one's end
}

func (h hello) bytes() []byte {
	b := binary.BigEndian.AppendUint32(nil, helloMagic)
	ip := h.ip.As4()
	b = append(b, ip[:]...)
	b = binary.BigEndian.AppendUint64(b, h.id)
	b = binary.BigEndian.AppendUint64(b, uint64(h.up))
	b = binary.BigEndian.AppendUint64(b, uint64(h.down))
	ends := uint64(0)
	if h.endsUp {
		ends = 1
	}
	b = binary.BigEndian.AppendUint64(b, ends)
	return binary.BigEndian.AppendUint64(b, xxhash.Sum64(b))
}

var errNoHello = errors.New("what came is no hello")

func parseHello(b []byte) (h hello, err error) {
	if xxhash.Sum64(b[:helloSize-8]) != binary.BigEndian.Uint64(b[helloSize-8:]) {
		return h, fmt.Errorf("%w: %x", errNoHello, b)
	}
	h.ip = netip.AddrFrom4([4]byte(b[4:8]))
	h.id = binary.BigEndian.Uint64(b[8:])
	h.up, h.down = int64(binary.BigEndian.Uint64(b[16:])), int64(binary.BigEndian.Uint64(b[24:]))
	h.endsUp = binary.BigEndian.Uint64(b[32:]) == 1
	return h, nil
}

// readHello reads a hello, which may come behind a PROXY header, and counts the bytes of the hello.
func readHello(conn net.Conn) (h hello, n int, err error) {
	var b [helloSize]byte
	var proxied string
	n, err = io.ReadFull(conn, b[:1])
	if err == nil && b[0] == 'P' {
		if proxied, err = readLine(conn); err != nil {
			return h, 0, err
		}
		n, err = io.ReadFull(conn, b[:1])
	}
	if err != nil {
		return h, n, err
	}
	more, err := io.ReadFull(conn, b[1:])
	if n += more; err != nil {
		return h, n, err
	}
	h, err = parseHello(b[:])
	if fields := strings.Fields(proxied); err == nil && proxied != "" && (len(fields) != 6 || fields[2] != h.ip.String()) {
		err = fmt.Errorf("%w: the PROXY header of %s is 'P%s'", errNoHello, h.ip, proxied)
	}
	return h, n, err
}

// patternBytes are what all patterns are cut from; behind them is their beginning once more.
var patternBytes = sync.OnceValue(func() []byte {
	all, _ := io.ReadAll(noise(9, patternSize))
	return append(all, all[:chunkSize]...)
})

// A pattern is an endless stream of bytes, another one for each connection and direction.
type pattern struct{ place int }

func newPattern(id uint64, down bool) pattern {
	key := binary.BigEndian.AppendUint64(nil, id)
	if down {
		key = append(key, 'd')
	}
	return pattern{int(xxhash.Sum64(key) % patternSize)}
}

// next returns the next n bytes, or a chunk of them.
func (p *pattern) next(n int64) []byte {
	b := patternBytes()[p.place:][:min(n, chunkSize)]
	p.place = (p.place + len(b)) % patternSize
	return b
}

var errDamaged = errors.New("other bytes came than were sent")

// check compares bytes with the next ones.
func (p *pattern) check(b []byte) error {
	if !bytes.Equal(b, p.next(int64(len(b)))) {
		return errDamaged
	}
	return nil
}

var chunks = sync.Pool{New: func() any { return new([chunkSize]byte) }}

// send writes up to n bytes of a pattern, and pauses on the way. It returns how many were written.
func (p *pattern) send(conn net.Conn, n int64, pause pause) (sent int64, err error) {
	for sent < n && err == nil {
		pause.at(sent)
		var put int
		put, err = conn.Write(p.next(pause.before(sent, n)))
		sent += int64(put)
	}
	return sent, err
}

// endless is more than any stream has.
const endless = 1 << 62

// receive reads until n bytes have come or the stream ends, which is no error, and pauses on the way. Whole tells
// that the stream has ended.
func (p *pattern) receive(conn net.Conn, n int64, pause pause) (got int64, whole bool, err error) {
	chunk := chunks.Get().(*[chunkSize]byte)
	defer chunks.Put(chunk)
	for got < n {
		pause.at(got)
		m, err := conn.Read(chunk[:min(pause.before(got, n), chunkSize)])
		if damaged := p.check(chunk[:m]); damaged != nil {
			return got, false, fmt.Errorf("behind %d bytes: %w", got, damaged)
		}
		got += int64(m)
		if err == io.EOF {
			return got, true, nil
		}
		if err != nil {
			return got, false, err
		}
	}
	return got, false, nil
}

// A pause is a time in which one who sends or receives does nothing, behind so many bytes.
type pause struct {
	behind int64
	length time.Duration
}

// at pauses if it is the time.
func (p pause) at(n int64) {
	if p.length > 0 && n == p.behind {
		time.Sleep(p.length)
	}
}

// before returns how many bytes there are from n to the pause, or to the end.
func (p pause) before(n, end int64) int64 {
	if p.length > 0 && n < p.behind {
		end = min(end, p.behind)
	}
	return end - n
}

// readUpTo fills the bytes, or reads as much as there is in the stream, which is no error.
func readUpTo(conn net.Conn, b []byte) (n int, ended bool, err error) {
	n, err = io.ReadFull(conn, b)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		return n, true, nil
	}
	return n, false, err
}
