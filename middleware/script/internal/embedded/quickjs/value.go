//go:build (darwin || freebsd || linux || windows) && (amd64 || arm64)

package quickjs

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"unsafe"

	lib "modernc.org/libquickjs"
)

// Value is a value of JavaScript.
type Value = lib.TJSValue

// Undefined and True are the values of these names.
var (
	Undefined = Value{Ftag: lib.EJS_TAG_UNDEFINED}
	True      = make64(lib.EJS_TAG_BOOL, 1)
)

func payload(v Value) uint64  { return uint64(v.Fu.Fuint641) }
func pointer(v Value) uintptr { return uintptr(payload(v)) }
func isObject(v Value) bool   { return v.Ftag == lib.EJS_TAG_OBJECT }
func isFailure(v Value) bool  { return v.Ftag == lib.EJS_TAG_EXCEPTION }
func make64(tag int64, n uint64) (v Value) {
	v.Fu.Fuint641, v.Ftag = lib.Tuint64_t(n), lib.Tint64_t(tag)
	return v
}

// Whole makes a whole number.
func Whole(n int64) Value {
	if n == int64(int32(n)) {
		return make64(lib.EJS_TAG_INT, uint64(uint32(n)))
	}
	return make64(lib.EJS_TAG_FLOAT64, math.Float64bits(float64(n)))
}

// Identity tells objects apart for as long as they are held.
func Identity(v Value) uintptr { return pointer(v) }

// Int returns an integer, or 0 for any other value.
func Int(v Value) int {
	if v.Ftag != lib.EJS_TAG_INT {
		return 0
	}
	return int(int32(payload(v)))
}

// IsString reports whether a value is a string.
func IsString(v Value) bool { return v.Ftag == lib.EJS_TAG_STRING || v.Ftag == lib.EJS_TAG_STRING_ROPE }

// Dup returns another reference to a value.
func (vm *VM) Dup(v Value) Value { return lib.XDupValue(vm.tls, vm.context, v) }

// Free gives a reference back.
func (vm *VM) Free(v Value) { lib.XFreeValue(vm.tls, vm.context, v) }

// Text returns a string as Go has it, with halves of surrogate pairs as three bytes each; what is none is converted.
func (vm *VM) Text(v Value) (string, error) {
	text, release, err := vm.view(v)
	defer release()
	return strings.Clone(text), err
}

// view returns a string that holds until it is released.
func (vm *VM) view(v Value) (text string, release func(), err error) {
	p := lib.XJS_ToCStringLen2(vm.tls, vm.context, vm.scratch, v, 0)
	if p == 0 {
		return "", func() {}, vm.exception()
	}
	n := *at[uintptr](vm.scratch)
	return unsafe.String(at[byte](p), n), func() { lib.XJS_FreeCString(vm.tls, vm.context, p) }, nil
}

// Eval runs the text of a script, and returns the value of its last statement.
func (vm *VM) Eval(name, text string) (Value, error) {
	return vm.eval(name, text, lib.MJS_EVAL_TYPE_GLOBAL)
}

// Compile makes bytecode of the text of a script, for Run in any VM.
func (vm *VM) Compile(name, text string) ([]byte, error) {
	v, err := vm.eval(name, text, lib.MJS_EVAL_TYPE_GLOBAL|lib.MJS_EVAL_FLAG_COMPILE_ONLY)
	if err != nil {
		return nil, err
	}
	defer vm.Free(v)
	p := lib.XJS_WriteObject(vm.tls, vm.context, vm.scratch, v, lib.MJS_WRITE_OBJ_BYTECODE)
	if p == 0 {
		return nil, vm.exception()
	}
	defer lib.Xjs_free(vm.tls, vm.context, p)
	return bytes.Clone(bytesAt(p, *at[uintptr](vm.scratch))), nil
}

// Run runs what Compile has made, and returns the value of its last statement.
func (vm *VM) Run(bytecode []byte) (Value, error) {
	v, err := vm.of(bytecode, func(p uintptr, n lib.Tsize_t) Value {
		return lib.XJS_ReadObject(vm.tls, vm.context, p, n, lib.MJS_READ_OBJ_BYTECODE)
	})
	if err != nil {
		return Undefined, err
	}
	return vm.checked(lib.XJS_EvalFunction(vm.tls, vm.context, v))
}

func (vm *VM) eval(name, text string, flags int32) (Value, error) {
	return vm.of(bytesIn(text+"\x00"+name), func(p uintptr, _ lib.Tsize_t) Value {
		return lib.XJS_Eval(vm.tls, vm.context, p, lib.Tsize_t(len(text)), p+uintptr(len(text))+1, flags)
	})
}

// of returns what a function of QuickJS makes of text or bytes, which it gets with a zero behind them.
func (vm *VM) of(data []byte, f func(address uintptr, n lib.Tsize_t) Value) (Value, error) {
	n, p := lib.Tsize_t(len(data)), vm.scratch
	if n >= scratchSize {
		if p = lib.Xjs_malloc_rt(vm.tls, vm.runtime, n+1); p == 0 {
			return Undefined, ErrInterrupted // memory has run out
		}
		defer lib.Xjs_free_rt(vm.tls, vm.runtime, p)
	}
	copy(bytesAt(p, uintptr(n)), data)
	*at[byte](p + uintptr(n)) = 0
	return vm.checked(f(p, n))
}

// Call calls a function with arguments of these kinds: Value, nil for undefined, bool, int, int64, float64, string, error,
// []byte and Buffer, which become an ArrayBuffer, and whatever can be written as JSON.
func (vm *VM) Call(f Value, arguments ...any) (Value, error) {
	var values [maxArguments]Value
	for i, argument := range arguments {
		v, err := vm.made(argument)
		if err != nil {
			return Undefined, err
		}
		defer vm.Free(v)
		values[i] = v
	}
	return vm.Apply(f, values[:len(arguments)]...)
}

// Apply is Call for values, and costs less.
func (vm *VM) Apply(f Value, arguments ...Value) (Value, error) {
	copy(unsafe.Slice(at[Value](vm.arguments), maxArguments), arguments)
	return vm.checked(lib.XJS_Call(vm.tls, vm.context, f, Undefined, int32(len(arguments)), vm.arguments))
}

// NewString makes a string. It is Undefined if memory has run out.
func (vm *VM) NewString(text []byte) Value {
	v, _ := vm.of(text, func(p uintptr, n lib.Tsize_t) Value { return lib.XJS_NewStringLen(vm.tls, vm.context, p, n) })
	return v
}

func (vm *VM) checked(v Value) (Value, error) {
	if isFailure(v) {
		return Undefined, vm.exception()
	}
	return v, nil
}

// exception takes the exception that is pending.
func (vm *VM) exception() error {
	v := lib.XJS_GetException(vm.tls, vm.context)
	if vm.interrupted.Load() || vm.arena.exhausted {
		vm.Free(v)
		return ErrInterrupted
	}
	return &Exception{v}
}

// made is a value that is made of one of Go's; see Call.
func (vm *VM) made(value any) (Value, error) {
	switch x := value.(type) {
	case nil:
		return Undefined, nil
	case Value:
		return vm.Dup(x), nil
	case Owned:
		return x.Value, nil
	case bool:
		if x {
			return True, nil
		}
		return make64(lib.EJS_TAG_BOOL, 0), nil
	case int:
		return Whole(int64(x)), nil
	case int64:
		return Whole(x), nil
	case float64:
		return make64(lib.EJS_TAG_FLOAT64, math.Float64bits(x)), nil
	case string:
		return vm.of(bytesIn(x), func(p uintptr, n lib.Tsize_t) Value { return lib.XJS_NewStringLen(vm.tls, vm.context, p, n) })
	case []byte:
		return vm.of(x, func(p uintptr, n lib.Tsize_t) Value { return lib.XJS_NewArrayBufferCopy(vm.tls, vm.context, p, n) })
	case Buffer:
		defer x.Release()
		return vm.made(x.Bytes())
	case error:
		return vm.makeError(x)
	}
	text, err := json.Marshal(value)
	if err != nil {
		return Undefined, err
	}
	return vm.ParseJSON("value", string(text))
}

// ParseJSON makes the value that is written as JSON. An error names the place in what has the name.
func (vm *VM) ParseJSON(name, text string) (Value, error) {
	return vm.of(bytesIn(text+"\x00"+name), func(p uintptr, _ lib.Tsize_t) Value {
		return lib.XJS_ParseJSON(vm.tls, vm.context, p, lib.Tsize_t(len(text)), p+uintptr(len(text))+1)
	})
}

// bytesIn are those of a string, which must only be read.
func bytesIn(text string) []byte { return unsafe.Slice(unsafe.StringData(text), len(text)) }

// NewObject makes an object whose properties are functions.
func (vm *VM) NewObject(functions map[string]Function) Value {
	object := lib.XJS_NewObject(vm.tls, vm.context)
	for name, f := range functions {
		value := lib.XJS_NewCFunction2(vm.tls, vm.context, address(callGo), 0, 0, lib.EJS_CFUNC_generic_magic, int32(len(vm.functions)))
		vm.functions = append(vm.functions, f)
		_, _ = vm.of(bytesIn(name), func(p uintptr, _ lib.Tsize_t) Value {
			lib.XJS_SetPropertyStr(vm.tls, vm.context, object, p, value)
			return Undefined
		})
	}
	return object
}

// SetThrower sets the function of JavaScript that makes errors of a message, a class, and properties.
func (vm *VM) SetThrower(f Value) { vm.thrower = f }

func (vm *VM) makeError(err error) (Value, error) {
	class, properties := "Error", any(nil)
	if f := Fields(nil); errors.As(err, &f) {
		class, properties = f.Fields()
	}
	return vm.Call(vm.thrower, err.Error(), class, properties)
}

// JobPending reports whether promises have left something to be run.
func (vm *VM) JobPending() bool { return lib.XJS_IsJobPending(vm.tls, vm.runtime) != 0 }

// Job runs the next of what promises have left to be run.
func (vm *VM) Job() error {
	if lib.XJS_ExecutePendingJob(vm.tls, vm.runtime, vm.scratch) < 0 {
		return vm.exception()
	}
	return nil
}
