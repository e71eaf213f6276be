package embedded

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/blake2s"
	//lint:ignore SA1019 scripts check the hashes that they have
	"golang.org/x/crypto/ripemd160"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

// hashes are the algorithms by Node's names.
var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
	"sha512-224": sha512.New512_224, "sha512-256": sha512.New512_256, "ripemd160": ripemd160.New,
	"sha3-224": func() hash.Hash { return sha3.New224() }, "sha3-256": func() hash.Hash { return sha3.New256() },
	"sha3-384": func() hash.Hash { return sha3.New384() }, "sha3-512": func() hash.Hash { return sha3.New512() },
	"blake2b512": keyless(blake2b.New512), "blake2s256": keyless(blake2s.New256),
}

// keyless makes a hash of one that can take a key.
func keyless(create func(key []byte) (hash.Hash, error)) func() hash.Hash {
	return func() hash.Hash {
		h, err := create(nil)
		if err != nil {
			panic(err)
		}
		return h
	}
}

// dataFunctions are what js/buffer.js and js/crypto.js call: what goes over all bytes.
func (e *engine) dataFunctions() map[string]quickjs.Function {
	return map[string]quickjs.Function{
		"encode": func(a []any) (any, error) {
			data := a[0].([]byte)
			return e.small(len(data), func() any { return textOf(data, a[1].(string)) })
		},
		"decode": func(a []any) (any, error) {
			text := a[0].(string)
			return e.small(len(text), func() any { return bytesOf(text, a[1].(string)) })
		},
		"compare": func(a []any) (any, error) { return bytes.Compare(a[0].([]byte), a[1].([]byte)), nil },
		// hash gives the digest of data, with a key the HMAC, or nothing if the algorithm is not known.
		"hash": func(a []any) (any, error) {
			create := hashes[strings.ToLower(a[0].(string))]
			if create == nil {
				return nil, nil
			}
			h := create()
			if key, ok := a[1].([]byte); ok {
				h = hmac.New(create, key)
			}
			data, _ := a[2].([]byte)
			_, _ = h.Write(data)
			return h.Sum(nil), nil
		},
		"random": does(func(a []any) {
			// The script's memory may be taken away at any time, and where the system writes, that would end the process.
			var block [4096]byte
			for to := a[0].([]byte); len(to) > 0; {
				_, _ = rand.Read(block[:min(len(to), len(block))]) // never fails
				to = to[copy(to, block[:]):]
			}
		}),
	}
}

// small converts what is of a size, unless that is so large that what it takes beside the script's memory would count.
func (e *engine) small(size int, convert func() any) (any, error) {
	const part = 12
	if most := e.script.Options().MemoryLimit / part; int64(size) > most {
		return nil, &problem{fmt.Errorf("%d bytes are more than can be converted at once, which are %d", size, most), "RangeError", nil}
	}
	return convert(), nil
}

// bytesOf gives the bytes that a text is in an encoding, or stands for in one such as base64. Halves of surrogate pairs are
// three bytes each in the text.
func bytesOf(text, encoding string) []byte {
	if encoding == "utf8" {
		data := []byte(text)
		for i := 0; i+2 < len(data); i++ {
			if data[i] == 0xed && data[i+1] >= 0xa0 { // half of a pair
				copy(data[i:], "\ufffd")
			}
		}
		return data
	}
	units := make([]byte, 0, len(text))
	for _, unit := range utf16.Encode([]rune(text)) {
		units = append(units, byte(unit)) // Node does so for hex and base64, too
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
func textOf(data []byte, encoding string) string {
	switch encoding {
	case "utf8":
		return fromUTF8(data)
	case "hex":
		return hex.EncodeToString(data)
	case "base64":
		return base64.StdEncoding.EncodeToString(data)
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(data)
	}
	text := make([]byte, 0, len(data)+len(data)/4)
	mask := byte(0xff)
	if encoding == "ascii" {
		mask = 0x7f
	}
	for _, b := range data {
		text = utf8.AppendRune(text, rune(b&mask))
	}
	return string(text)
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
