//go:build (darwin || freebsd || linux || windows) && (amd64 || arm64)

package quickjs

import (
	"math"
	"unsafe"

	lib "modernc.org/libquickjs"
)

// NextJob returns the promise for whose sake the next job runs: that of the asynchronous function which goes on, or that
// which the outcome of a callback settles. It is Undefined if there is none.
func (vm *VM) NextJob() Value {
	list := vm.runtime + unsafe.Offsetof(lib.TJSRuntime{}.Fjob_list)
	first := at[lib.Tlist_head](list).Fnext
	if first == list {
		return Undefined
	}
	arguments := unsafe.Slice(at[Value](first+jobArguments), at[lib.TJSJobEntry](first).Fargc)
	if len(arguments) != reactionArguments {
		return Undefined
	}
	return settledBy(arguments[0], arguments[2])
}

const (
	// jobArguments is where a job has its arguments.
	jobArguments = unsafe.Sizeof(lib.TJSJobEntry{})
	// reactionArguments is how many a reaction to a promise has: the functions that settle the promise that depends on it,
	// the callback, whether that is for a rejection, and the outcome.
	reactionArguments = 5
)

// settledBy is the promise that a reaction settles, by a function that does so, or by the function that goes on.
func settledBy(resolve, callback Value) Value {
	switch class(callback) {
	case lib.EJS_CLASS_ASYNC_FUNCTION_RESOLVE, lib.EJS_CLASS_ASYNC_FUNCTION_REJECT:
		resolve = at[lib.TJSAsyncFunctionState](opaque(callback)).Fresolving_funcs[0]
	}
	if class(resolve) != lib.EJS_CLASS_PROMISE_RESOLVE_FUNCTION {
		return Undefined
	}
	return at[lib.TJSPromiseFunctionData](opaque(resolve)).Fpromise
}

// Waiting returns the first promise that waits for one, be it by way of an asynchronous function.
func Waiting(promise Value) (Value, bool) {
	if class(promise) != lib.EJS_CLASS_PROMISE {
		return Undefined, false
	}
	list := opaque(promise) + unsafe.Offsetof(lib.TJSPromiseData{}.Fpromise_reactions)
	first := at[lib.Tlist_head](list).Fnext
	if first == list {
		return Undefined, false
	}
	reaction := at[lib.TJSPromiseReactionData](first)
	waiting := settledBy(reaction.Fresolving_funcs[0], reaction.Fhandler)
	return waiting, isObject(waiting)
}

func class(v Value) lib.TJSClassID {
	if !isObject(v) {
		return 0
	}
	return lib.TJSClassID(at[lib.TJSObject](pointer(v)).Fclass_id)
}

// opaque is what an object of a class of QuickJS's own points to.
func opaque(v Value) uintptr {
	return *at[uintptr](pointer(v) + unsafe.Offsetof(lib.TJSObject{}.Fu))
}

// Tag has a promise carry a number, which Tagged returns.
func (vm *VM) Tag(promise Value, number uint32) {
	lib.XJS_DefinePropertyValue(vm.tls, vm.context, promise, vm.tag, Whole(int64(number)), 0)
}

// Tagged returns the number that Tag has given to a promise, or 0.
func (vm *VM) Tagged(promise Value) uint32 {
	if class(promise) != lib.EJS_CLASS_PROMISE || lib.XJS_GetOwnProperty(vm.tls, vm.context, vm.scratch, promise, vm.tag) <= 0 {
		return 0
	}
	number := at[lib.TJSPropertyDescriptor](vm.scratch).Fvalue
	if number.Ftag == lib.EJS_TAG_FLOAT64 {
		return uint32(math.Float64frombits(payload(number)))
	}
	return uint32(Int(number))
}
