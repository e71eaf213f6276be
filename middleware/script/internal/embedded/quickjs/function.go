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

// NewFunction makes a function of JavaScript of one of Go.
func (vm *VM) NewFunction(f Function) Value {
	vm.functions = append(vm.functions, f)
	return lib.XJS_NewCFunction2(vm.tls, vm.context, address(callGo), 0, 0, lib.EJS_CFUNC_generic_magic, int32(len(vm.functions)-1))
}

// callGo is called by QuickJS for each function that NewFunction has made.
func callGo(tls *libc.TLS, context uintptr, _ Value, argc int32, argv uintptr, magic int32) Value {
	vm := find(at[lib.TJSMallocState](lib.XJS_GetRuntime(tls, context) + mallocState).Fopaque)
	result, err := vm.callFunction(vm.functions[magic], unsafe.Slice(at[Value](argv), argc))
	var e *Exception
	switch {
	case errors.As(err, &e):
		return lib.XJS_Throw(tls, context, e.Value)
	case err != nil:
		lib.XJS_ThrowOutOfMemory(tls, context)
		return Value{Ftag: lib.EJS_TAG_EXCEPTION}
	}
	return result
}

// mallocState is where in a runtime the state of its memory is.
const mallocState = unsafe.Offsetof(lib.TJSRuntime{}.Fmalloc_ctx) + unsafe.Offsetof(lib.TJSMallocContext{}.Fmalloc_state)

func (vm *VM) callFunction(f Function, values []Value) (Value, error) {
	begun := len(vm.converted)
	defer func() { vm.converted = vm.converted[:begun] }()
	for _, v := range values {
		argument, release, err := vm.goValue(v)
		if err != nil {
			return Undefined, err
		}
		if release != nil {
			defer release()
		}
		vm.converted = append(vm.converted, argument)
	}
	given := len(vm.converted)
	vm.converted = append(vm.converted, make([]any, leastArguments)...) // what is not given is nil
	arguments := vm.converted[begun:given:len(vm.converted)]
	result, err := f(arguments[:max(len(values), leastArguments)])
	if err != nil {
		if e := (*Exception)(nil); errors.As(err, &e) || errors.Is(err, ErrInterrupted) {
			return Undefined, err
		}
		object, err := vm.makeError(err)
		if err != nil {
			return Undefined, err
		}
		return Undefined, &Exception{object}
	}
	switch v := result.(type) {
	case Owned:
		return v.Value, nil
	case Value:
		return vm.Dup(v), nil
	}
	return vm.Make(result)
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
	case isObject(v):
		if data, ok := vm.bytes(v); ok {
			return data, nil, nil
		}
	}
	return v, nil, nil
}

// bytes returns those of an ArrayBuffer or a typed array.
func (vm *VM) bytes(v Value) ([]byte, bool) {
	class := lib.XJS_GetClassID(vm.tls, v)
	if class == lib.EJS_CLASS_ARRAY_BUFFER {
		p := lib.XJS_GetArrayBuffer(vm.tls, vm.context, vm.scratch, v)
		return bytesAt(p, *at[uintptr](vm.scratch)), true
	}
	if class < lib.EJS_CLASS_UINT8C_ARRAY || class > lib.EJS_CLASS_DATAVIEW {
		return nil, false
	}
	buffer := lib.XJS_GetTypedArrayBuffer(vm.tls, vm.context, v, vm.scratch, vm.scratch+8, 0)
	if isFailure(buffer) {
		vm.Free(lib.XJS_GetException(vm.tls, vm.context))
		return nil, false
	}
	defer vm.Free(buffer) // the view holds it, too
	offset, length := *at[uintptr](vm.scratch), *at[uintptr](vm.scratch + 8)
	p := lib.XJS_GetArrayBuffer(vm.tls, vm.context, vm.scratch, buffer)
	return bytesAt(p+offset, length), true
}
