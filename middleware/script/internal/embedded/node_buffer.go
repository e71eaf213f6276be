package embedded

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf8"

	"github.com/dop251/goja"
)

// bufferBinding is what Buffer is made of: the encodings, and what goes over all bytes.
func (e *engine) bufferBinding() map[string]any {
	return map[string]any{
		"decode": func(call goja.FunctionCall) goja.Value {
			text := call.Argument(0).(goja.String)
			e.charge(float64(text.Length()))
			return e.vm.ToValue(e.vm.NewArrayBuffer(bytesOf(text, call.Argument(1).String())))
		},
		"encode": func(call goja.FunctionCall) goja.Value {
			return textOf(e.vm, e.bytes(call.Argument(0)), call.Argument(1).String())
		},
		"fill": func(call goja.FunctionCall) goja.Value {
			data := e.bytes(call.Argument(0))
			for done := copy(data, e.bytes(call.Argument(1))); done < len(data); done *= 2 {
				copy(data[done:], data[:done])
			}
			return goja.Undefined()
		},
		"compare": func(call goja.FunctionCall) goja.Value {
			return e.vm.ToValue(bytes.Compare(e.bytes(call.Argument(0)), e.bytes(call.Argument(1))))
		},
		"search": func(call goja.FunctionCall) goja.Value {
			found := search(e.bytes(call.Argument(0)), e.bytes(call.Argument(1)), int(call.Argument(2).ToInteger()),
				call.Argument(3).ToBoolean(), call.Argument(4).ToBoolean())
			return e.vm.ToValue(found)
		},
	}
}

// bytesOf gives the bytes that a text is in an encoding, or stands for in one such as base64.
func bytesOf(text goja.String, encoding string) []byte {
	switch encoding {
	case "utf8":
		return []byte(text.String())
	case "utf16le":
		units := make([]byte, 0, 2*text.Length())
		for i := range text.Length() {
			unit := text.CharAt(i)
			units = append(units, byte(unit), byte(unit>>8))
		}
		return units
	}
	units := make([]byte, text.Length())
	for i := range units {
		units[i] = byte(text.CharAt(i)) // Node does so for hex and base64, too
	}
	switch encoding {
	case "hex":
		n, _ := hex.Decode(units, units) // up to what is no hex
		return units[:n]
	case "base64", "base64url":
		return fromBase64(units)
	}
	return units
}

// fromBase64 reads both alphabets, passes over what is in neither, and ends at the padding.
func fromBase64(text []byte) []byte {
	if end := bytes.IndexByte(text, '='); end >= 0 {
		text = text[:end]
	}
	text = bytes.Map(func(r rune) rune {
		switch {
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		case r == '+' || r == '/' || '0' <= r && r <= '9' || 'A' <= r && r <= 'Z' || 'a' <= r && r <= 'z':
			return r
		}
		return -1
	}, text)
	if len(text)%4 == 1 {
		text = text[:len(text)-1] // less than a byte
	}
	data := make([]byte, base64.RawStdEncoding.DecodedLen(len(text)))
	n, _ := base64.RawStdEncoding.Decode(data, text)
	return data[:n]
}

// textOf writes bytes as text.
func textOf(vm *goja.Runtime, data []byte, encoding string) goja.Value {
	switch encoding {
	case "utf8":
		return vm.ToValue(fromUTF8(data))
	case "hex":
		return vm.ToValue(hex.EncodeToString(data))
	case "base64":
		return vm.ToValue(base64.StdEncoding.EncodeToString(data))
	case "base64url":
		return vm.ToValue(base64.RawURLEncoding.EncodeToString(data))
	case "utf16le":
		units := make([]uint16, len(data)/2)
		for i := range units {
			units[i] = uint16(data[2*i]) | uint16(data[2*i+1])<<8
		}
		return goja.StringFromUTF16(units)
	}
	units, mask := make([]uint16, len(data)), byte(0xff)
	if encoding == "ascii" {
		mask = 0x7f
	}
	for i, b := range data {
		units[i] = uint16(b & mask)
	}
	return goja.StringFromUTF16(units)
}

// fromUTF8 makes one replacement character of each beginning of a character that does not go on, as browsers and
// Node do; a conversion of Go makes one of each byte.
func fromUTF8(data []byte) string {
	if utf8.Valid(data) {
		return string(data)
	}
	var text strings.Builder
	for len(data) > 0 {
		r, n := utf8.DecodeRune(data)
		if r == utf8.RuneError && n == 1 {
			for n < len(data) && !utf8.FullRune(data[:n+1]) {
				n++
			}
		}
		text.WriteRune(r)
		data = data[n:]
	}
	return text.String()
}

// search returns where Node finds a needle: forward from an offset, or backward from it. A negative offset counts from
// the end. The halves of UTF-16 are found as pairs only.
func search(data, needle []byte, offset int, forward, pairs bool) int {
	switch {
	case offset < 0 && offset+len(data) >= 0:
		offset += len(data)
	case offset < 0 && (forward || len(needle) == 0):
		offset = 0
	case offset < 0:
		return -1
	case len(needle) == 0:
		return min(offset, len(data))
	}
	if len(needle) == 0 {
		return offset
	}
	step, find, last := 1, bytes.Index, len(data)-len(needle)
	if forward && offset > last {
		return -1
	}
	if pairs {
		step, needle = 2, needle[:len(needle)&^1]
		offset &^= 1
	}
	if len(needle) == 0 {
		return -1
	}
	if !forward {
		data = data[:max(0, min(offset, last)+len(needle))]
		find, offset = bytes.LastIndex, 0
	}
	for offset <= len(data) {
		at := find(data[offset:], needle)
		switch {
		case at < 0:
			return -1
		case (offset+at)%step == 0:
			return offset + at
		case forward:
			offset += at + 1
		default:
			data = data[:at+len(needle)-1]
		}
	}
	return -1
}
