package embedded

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha3"
	"crypto/sha512"
	"hash"
	"reflect"
	"strings"

	"github.com/dop251/goja"
	"golang.org/x/crypto/blake2b"
	"golang.org/x/crypto/blake2s"
	//lint:ignore SA1019 scripts check the hashes that they have
	"golang.org/x/crypto/ripemd160"
)

// hashes are the algorithms by the names that Node knows, in lower case. The first of each is the usual one.
var hashes, hashNames = func() (byName map[string]func() hash.Hash, names []any) {
	byName = make(map[string]func() hash.Hash)
	for _, h := range []struct {
		names string
		new   func() hash.Hash
	}{
		{"blake2b512 blake2b-512", keyless(blake2b.New512)},
		{"blake2s256 blake2s-256", keyless(blake2s.New256)},
		{"md5 rsa-md5 ssl3-md5 md5withrsaencryption", md5.New},
		{"ripemd160 ripemd-160 ripemd rmd160 rsa-ripemd160 ripemd160withrsa", ripemd160.New},
		{"sha1 sha-1 rsa-sha1 rsa-sha1-2 ssl3-sha1 sha1withrsaencryption", sha1.New},
		{"sha224 sha-224 sha2-224 rsa-sha224 sha224withrsaencryption", sha256.New224},
		{"sha256 sha-256 sha2-256 rsa-sha256 sha256withrsaencryption", sha256.New},
		{"sha3-224 rsa-sha3-224 id-rsassa-pkcs1-v1_5-with-sha3-224", func() hash.Hash { return sha3.New224() }},
		{"sha3-256 rsa-sha3-256 id-rsassa-pkcs1-v1_5-with-sha3-256", func() hash.Hash { return sha3.New256() }},
		{"sha3-384 rsa-sha3-384 id-rsassa-pkcs1-v1_5-with-sha3-384", func() hash.Hash { return sha3.New384() }},
		{"sha3-512 rsa-sha3-512 id-rsassa-pkcs1-v1_5-with-sha3-512", func() hash.Hash { return sha3.New512() }},
		{"sha384 sha-384 sha2-384 rsa-sha384 sha384withrsaencryption", sha512.New384},
		{"sha512 sha-512 sha2-512 rsa-sha512 sha512withrsaencryption", sha512.New},
		{"sha512-224 sha-512/224 sha2-512/224 rsa-sha512/224 sha512-224withrsaencryption", sha512.New512_224},
		{"sha512-256 sha-512/256 sha2-512/256 rsa-sha512/256 sha512-256withrsaencryption", sha512.New512_256},
	} {
		for i, name := range strings.Fields(h.names) {
			byName[name] = h.new
			if i == 0 {
				names = append(names, name)
			}
		}
	}
	return byName, names
}()

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

func (e *engine) cryptoBinding() map[string]any {
	return map[string]any{
		"hash": func(call goja.FunctionCall) goja.Value {
			create := hashes[strings.ToLower(call.Argument(0).String())]
			if create == nil {
				return goja.Null()
			}
			if key := call.Argument(1); !goja.IsUndefined(key) {
				return e.hashObject(hmac.New(create, e.bytes(key)))
			}
			return e.hashObject(create())
		},
		"hashes": func() any { return e.vm.NewArray(hashNames...) },
		"random": func(size float64) any {
			e.charge(size)
			bytes := make([]byte, int(size))
			_, _ = rand.Read(bytes) // never fails
			return e.vm.NewArrayBuffer(bytes)
		},
	}
}

// hashObject is what Hash and Hmac are made of.
func (e *engine) hashObject(h hash.Hash) goja.Value {
	object := e.vm.NewObject()
	_ = object.Set("update", func(call goja.FunctionCall) goja.Value {
		_, _ = h.Write(e.bytes(call.Argument(0)))
		return goja.Undefined()
	})
	_ = object.Set("digest", func(goja.FunctionCall) goja.Value {
		return e.vm.ToValue(e.vm.NewArrayBuffer(h.Sum(nil)))
	})
	_ = object.Set("copy", func(goja.FunctionCall) goja.Value { return e.hashObject(copyHash(h)) })
	return object
}

func copyHash(h hash.Hash) hash.Hash {
	if c, ok := h.(hash.Cloner); ok {
		if same, err := c.Clone(); err == nil {
			return same
		}
	}
	// The others hold nothing but values.
	state := reflect.ValueOf(h).Elem()
	same := reflect.New(state.Type())
	same.Elem().Set(state)
	return same.Interface().(hash.Hash)
}

// bytes returns the bytes of a Buffer or another typed array.
func (e *engine) bytes(v goja.Value) []byte {
	var data []byte
	if err := e.vm.ExportTo(v, &data); err != nil {
		panic(e.vm.NewGoError(err))
	}
	return data
}
