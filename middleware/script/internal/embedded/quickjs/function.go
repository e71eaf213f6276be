//go:build (darwin || freebsd || linux || windows) && (amd64 || arm64)

package quickjs

import (
	"errors"
	"math"
	"strings"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"
)

// callGo is called by QuickJS for each function that NewObject has made.
func callGo(tls *libc.TLS, context uintptr, _ Value, argc int32, argv uintptr, magic int32) Value {
	vm := find(tls)
	result, err := vm.callFunction(vm.functions[magic], unsafe.Slice(at[Value](argv), argc))
	if err == nil {
		return result
	}
	var e *Exception
	if !errors.As(err, &e) && !errors.Is(err, ErrInterrupted) {
		if result, err = vm.makeError(err); err == nil {
			e = &Exception{result}
		}
	}
	if e == nil {
		return lib.XJS_ThrowOutOfMemory(tls, context)
	}
	return lib.XJS_Throw(tls, context, e.Value)
}

func (vm *VM) callFunction(f Function, values []Value) (Value, error) {
	arguments := make([]any, max(len(values), leastArguments)) // what is not given is nil
	for i, v := range values {
		argument, release, err := vm.goValue(v)
		if err != nil {
			return Undefined, err
		}
		if release != nil {
			defer release()
		}
		arguments[i] = argument
	}
	result, err := f(arguments)
	if err != nil {
		return Undefined, err
	}
	return vm.made(result)
}

// goValue converts an argument of a function of Go.
func (vm *VM) goValue(v Value) (value any, release func(), err error) {
	switch {
	case v.Ftag == lib.EJS_TAG_UNDEFINED || v.Ftag == lib.EJS_TAG_NULL:
		return nil, nil, nil
	case v.Ftag == lib.EJS_TAG_BOOL:
		return payload(v) != 0, nil, nil
	case v.Ftag == lib.EJS_TAG_INT:
		return float64(Int(v)), nil, nil
	case v.Ftag == lib.EJS_TAG_FLOAT64:
		return math.Float64frombits(payload(v)), nil, nil
	case IsString(v):
		text, release, err := vm.view(v)
		if len(text) < scratchSize {
			defer release()
			return strings.Clone(text), nil, err
		}
		return text, release, err
	}
	if data, ok := bytesOf(v); ok {
		return data, nil, nil
	}
	return v, nil, nil
}

// bytesOf returns the bytes of an ArrayBuffer or a view of one.
func bytesOf(v Value) ([]byte, bool) {
	switch c := class(v); {
	case c == lib.EJS_CLASS_ARRAY_BUFFER:
		b := at[lib.TJSArrayBuffer](opaque(v))
		return bytesAt(b.Fdata, uintptr(b.Fbyte_length)), true
	case c >= lib.EJS_CLASS_UINT8C_ARRAY && c <= lib.EJS_CLASS_DATAVIEW:
		view := at[lib.TJSTypedArray](opaque(v))
		all, _ := bytesOf(make64(lib.EJS_TAG_OBJECT, uint64(view.Fbuffer)))
		if begin, end := uint64(view.Foffset), uint64(view.Foffset)+uint64(view.Flength); end <= uint64(len(all)) { // else it has shrunk
			return all[begin:end:end], true
		}
	}
	return nil, false
}
