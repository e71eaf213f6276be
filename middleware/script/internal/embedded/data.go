package embedded

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"math/big"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

// hashes are the algorithms by Node's names.
var hashes = map[string]func() hash.Hash{
	"md5": md5.New, "sha1": sha1.New, "sha224": sha256.New224, "sha256": sha256.New, "sha384": sha512.New384, "sha512": sha512.New,
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
		"randomInt": func(a []any) (any, error) {
			n, err := rand.Int(rand.Reader, big.NewInt(int64(a[0].(float64))))
			return n.Int64(), err
		},
	}
}

// small converts what is of a size, unless that is so large that what it takes beside the script's memory would count.
func (e *engine) small(size int, convert func() any) (any, error) {
	const part = 12
	if most := e.limit / part; int64(size) > most {
		return nil, &problem{fmt.Errorf("%d bytes are more than can be converted at once, which are %d", size, most), "RangeError", nil}
	}
	return convert(), nil
}

// notBase64 is what Node passes over.
var notBase64 = regexp.MustCompile(`[^\w-]+`)

// bytesOf gives the bytes that a text is in an encoding, or stands for in one such as base64: up to what does not.
func bytesOf(text, encoding string) []byte {
	switch encoding {
	case "utf8":
		return []byte(strings.ToValidUTF8(text, "\ufffd"))
	case "hex":
		data, _ := hex.DecodeString(text)
		return data
	case "base64", "base64url":
		text, _, _ = strings.Cut(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=")
		data, _ := base64.RawURLEncoding.DecodeString(notBase64.ReplaceAllString(text, ""))
		return data
	}
	data := make([]byte, 0, len(text))
	for _, r := range text {
		data = append(data, byte(r))
	}
	return data
}

// textOf writes bytes as text.
func textOf(data []byte, encoding string) string {
	switch encoding {
	case "utf8":
		return strings.ToValidUTF8(string(data), "\ufffd")
	case "hex":
		return hex.EncodeToString(data)
	case "base64":
		return base64.StdEncoding.EncodeToString(data)
	case "base64url":
		return base64.RawURLEncoding.EncodeToString(data)
	}
	text := make([]byte, 0, len(data)+len(data)/4)
	for _, b := range data {
		text = utf8.AppendRune(text, rune(b))
	}
	return string(text)
}
