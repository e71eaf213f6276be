//go:build (darwin || freebsd || linux || windows) && (amd64 || arm64)

package quickjs

import (
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"
)

// A handle is an object of JavaScript, without properties at first, that stands for something of Go's, given by a number.

// The class of handles, in all VMs. They are package variables because QuickJS has their addresses.
var (
	handleID    lib.TJSClassID
	handleClass lib.TJSClassDef
	handlesOnce sync.Once
)

// prepareHandles has a VM know the class.
func (vm *VM) prepareHandles() {
	handlesOnce.Do(func() {
		name, err := libc.CString("Handle")
		if err != nil {
			panic(err)
		}
		handleClass = lib.TJSClassDef{Fclass_name: name, Ffinalizer: address(finalize)}
		lib.XJS_NewClassID(vm.tls, uintptr(unsafe.Pointer(&handleID)))
	})
	lib.XJS_NewClass(vm.tls, vm.runtime, handleID, uintptr(unsafe.Pointer(&handleClass)))
}

// NewHandle makes a handle for a number above 0. Once JavaScript has no reference to it any more, Dropped of the host is called.
func (vm *VM) NewHandle(number int) Value {
	v := lib.XJS_NewObjectClass(vm.tls, vm.context, int32(handleID))
	if !isFailure(v) {
		lib.XJS_SetOpaque(vm.tls, v, uintptr(number))
	}
	return v
}

// SetHandlePrototype sets the prototype of handles.
func (vm *VM) SetHandlePrototype(prototype Value) {
	lib.XJS_SetClassProto(vm.tls, vm.context, handleID, vm.Dup(prototype))
}

// Number is that of a handle, or 0 if a value is none.
func Number(v any) int {
	if h, ok := v.(Value); ok && isObject(h) && class(h) == handleID {
		return int(opaque(h))
	}
	return 0
}

func finalize(_ *libc.TLS, runtime uintptr, v Value) {
	vm := find(at[lib.TJSMallocState](runtime + mallocState).Fopaque)
	vm.host.Dropped(int(opaque(v)))
}
