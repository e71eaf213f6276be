package node

import (
	"encoding/binary"
	"fmt"
	"net/netip"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/decide"
)

// A frame begins with its kind and a number, of four bytes with the least one first. The number is a client's, unless
// the kind says something else.
const frameHead = 5

// The kinds of frames that the host sends. After the number come as many texts as textsOf says, each after its length.
const (
	hello  = iota + 1 // the host runs
	ready             // the script is loaded
	broken            // the script could not be loaded, since
	allow
	block  // with the reason
	failed // an error that nothing caught, with its stack. The number is zero if no client is kept out for it.
	follow // the script wants to know of the client's end
	kick
	forget // the script has no sockets any more of the clients from this number to the one in the text
	log    // a line that the script prints; the number is its level
	pong
	target // what is asked of the balancer about a target: the function, the host and the port
)

var textsOf = [...]int{broken: 1, block: 1, failed: 2, forget: 1, log: 1, target: 3}

// The kinds of frames that the host gets.
const (
	load        = iota + 1 // load the script
	localEnd               // the local end of the clients that follow
	decideAbout            // ask about a client
	left                   // a client has gone
	ping
)

// maxText bounds the texts that the host may send. It keeps them much shorter.
const maxText = 1 << 17

// appendFrame appends a frame without anything after the number.
func appendFrame(to []byte, kind byte, number uint32) []byte {
	return binary.LittleEndian.AppendUint32(append(to, kind), number)
}

// appendEnd appends a frame with one end of a connection.
func appendEnd(to []byte, kind byte, number uint32, end netip.AddrPort, flag byte) []byte {
	to = append(binary.LittleEndian.AppendUint16(appendFrame(to, kind, number), end.Port()), flag, 0)
	length := len(to) - 1
	to = decide.AppendAddress(to, end.Addr())
	to[length] = byte(min(len(to)-length-1, 255))
	return to[:length+1+int(to[length])]
}

// frame is one of the host's.
type frame struct {
	kind   byte
	number uint32
	texts  [3][]byte // valid until the next read
}

// parseFrame takes the first frame off data. It returns nothing left to take as the same data, if there is no whole one.
func parseFrame(data []byte) (f frame, rest []byte, err error) {
	if len(data) < frameHead {
		return f, data, nil
	}
	f.kind, f.number = data[0], binary.LittleEndian.Uint32(data[1:])
	if f.kind < hello || f.kind > target {
		return f, data, fmt.Errorf("the host sent a frame of the unknown kind %d", f.kind)
	}
	rest = data[frameHead:]
	for i := range textCount(f.kind) {
		if len(rest) < 4 {
			return frame{}, data, nil
		}
		length := binary.LittleEndian.Uint32(rest)
		if length > maxText {
			return f, data, fmt.Errorf("the host sent a text of %d bytes", length)
		}
		if rest = rest[4:]; len(rest) < int(length) {
			return frame{}, data, nil
		}
		f.texts[i], rest = rest[:length], rest[length:]
	}
	return f, rest, nil
}

func textCount(kind byte) int {
	if int(kind) < len(textsOf) {
		return textsOf[kind]
	}
	return 0
}
