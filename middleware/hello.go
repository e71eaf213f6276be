package middleware

import (
	"encoding/binary"

	"github.com/mholt/caddy-l4/layer4"
)

const (
	recordHeader      = 5
	recordHandshake   = 0x16
	recordMajor       = 3
	handshakeHeader   = 4
	handshakeIsClient = 1
)

// awaitsHello reports whether these are the first bytes of a TLS client whose ClientHello is not complete. Layer4 asks
// for a decision about them only if a route before wanted bytes, and then goes on asking whoever comes later even if that
// one wants more, so that an answer would take the connection away from it. The rest of a ClientHello comes by itself, so
// to wait for it holds nobody up.
func awaitsHello(data []byte) bool {
	if len(data) == 0 {
		return false
	}
	var message []byte // which may come in several records
	for {
		if len(data) > 0 && data[0] != recordHandshake || len(data) > 1 && data[1] != recordMajor {
			return false
		}
		if len(data) < recordHeader {
			return true
		}
		record := data[recordHeader:]
		length := int(binary.BigEndian.Uint16(data[3:]))
		if length+len(message) > layer4.MaxMatchingBytes {
			return false // as the tls matcher has it
		}
		if len(record) < length {
			return true
		}
		message, data = append(message, record[:length]...), record[length:]
		if len(message) < handshakeHeader {
			continue
		}
		whole := handshakeHeader + int(binary.BigEndian.Uint32(message)&0xffffff)
		if message[0] != handshakeIsClient || len(message) >= whole || whole > layer4.MaxMatchingBytes {
			return false
		}
	}
}
