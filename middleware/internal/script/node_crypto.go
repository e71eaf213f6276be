package script

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"hash"
	"maps"
	"slices"

	"github.com/dop251/goja"
)

// hashes are the algorithms by Node's names.
var hashes = map[string]func() hash.Hash{
	"md5":        md5.New,
	"sha1":       sha1.New,
	"sha224":     sha256.New224,
	"sha256":     sha256.New,
	"sha384":     sha512.New384,
	"sha512":     sha512.New,
	"sha512-256": sha512.New512_256,
}

func (e *engine) cryptoBinding() map[string]any {
	return map[string]any{
		"hash": e.newHash,
		"hashes": func() any {
			var names []any
			for _, name := range slices.Sorted(maps.Keys(hashes)) {
				names = append(names, name)
			}
			return e.vm.NewArray(names...)
		},
		"random": func(size float64) any {
			if !(size >= 0) {
				e.throwRange("The value of \"size\" is out of range.")
			}
			e.charge(size)
			bytes := make([]byte, int(size))
			_, _ = rand.Read(bytes) // never fails
			return e.vm.NewArrayBuffer(bytes)
		},
	}
}

// newHash makes a hash, or an HMAC if there is a key.
func (e *engine) newHash(call goja.FunctionCall) goja.Value {
	name := call.Argument(0).String()
	create := hashes[name]
	if create == nil {
		panic(e.makeError("Error", "crypto: the hash "+name+" is not available"))
	}
	h := create()
	if key := call.Argument(1); !goja.IsUndefined(key) {
		h = hmac.New(create, e.bytes(key))
	}
	object := e.vm.NewObject()
	_ = object.Set("update", func(call goja.FunctionCall) goja.Value {
		_, _ = h.Write(e.bytes(call.Argument(0)))
		return goja.Undefined()
	})
	_ = object.Set("digest", func(goja.FunctionCall) goja.Value {
		return e.vm.ToValue(e.vm.NewArrayBuffer(h.Sum(nil)))
	})
	return object
}

// bytes returns the bytes of a Buffer or another typed array.
func (e *engine) bytes(v goja.Value) []byte {
	var data []byte
	if err := e.vm.ExportTo(v, &data); err != nil {
		panic(e.vm.NewGoError(err))
	}
	return data
}
