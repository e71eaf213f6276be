//go:build (darwin || freebsd || linux || windows) && (amd64 || arm64)

package quickjs

import (
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/libquickjs"
)

// Recursion is bounded in calls of Go that QuickJS makes. They take up to 100 KiB of Go's stack each, which is not of
// the VM's region, and so there are fewer if the script has little memory.
const (
	maxDepth, minDepth = 1200, 400
	depthMemory        = 200 << 10
)

// VM is a virtual machine with one global object.
type VM struct {
	tls         *libc.TLS // by which what QuickJS calls finds the VM
	runtime     uintptr
	context     uintptr
	arena       *arena
	arguments   uintptr // memory of libc's for maxArguments values
	scratch     uintptr // and for text
	functions   []Function
	thrower     Value       // makes the errors that functions of Go return
	tag         lib.TJSAtom // the name of the property that Tag sets
	host        Host
	interrupted atomic.Bool
}

const (
	maxArguments = 16
	scratchSize  = 4096
	valueSize    = unsafe.Sizeof(Value{})
)

// vms are the VMs by their TLS: what is not Go's memory must not point to Go's.
var vms sync.Map

func find(tls *libc.TLS) *VM {
	vm, _ := vms.Load(tls)
	return vm.(*VM)
}

// New makes a VM that takes at most memory bytes.
func New(memory int64, host Host) (*VM, error) {
	a, err := newArena(memory)
	if err != nil {
		return nil, fmt.Errorf("reserve memory for a script: %w", err)
	}
	vm := &VM{tls: libc.NewTLS(), arena: a, host: host, thrower: Undefined}
	vms.Store(vm.tls, vm)
	vm.arguments = libc.Xmalloc(vm.tls, libc.Tsize_t(maxArguments*valueSize))
	vm.scratch = libc.Xmalloc(vm.tls, scratchSize)
	if vm.runtime = lib.XJS_NewRuntime2(vm.tls, uintptr(unsafe.Pointer(&allocator)), 0); vm.runtime != 0 {
		vm.context = lib.XJS_NewContext(vm.tls, vm.runtime)
	}
	if vm.context == 0 {
		vm.Close()
		return nil, errors.New("the memory limit is too small for a script")
	}
	symbol, err := vm.Eval("tag", "Symbol('client')")
	if err != nil {
		vm.Close()
		return nil, fmt.Errorf("symbol of promises: %w", err)
	}
	vm.tag = lib.XJS_ValueToAtom(vm.tls, vm.context, symbol)
	vm.Free(symbol)
	lib.XJS_SetMaxStackSize(vm.tls, vm.runtime, lib.Tsize_t(min(maxDepth, max(minDepth, memory/depthMemory))))
	lib.XJS_SetInterruptHandler(vm.tls, vm.runtime, address(interrupt), 0)
	lib.XJS_SetHostPromiseRejectionTracker(vm.tls, vm.runtime, address(trackRejection), 0)
	return vm, nil
}

// Interrupt ends the JavaScript that runs, and what is called later, with an exception that it cannot catch.
func (vm *VM) Interrupt() { vm.interrupted.Store(true) }

// Kill ends whatever the VM is at with a panic, also in a function that does not notice Interrupt.
func (vm *VM) Kill() { vm.arena.kill() }

// Exhausted reports whether an allocation has failed.
func (vm *VM) Exhausted() bool { return vm.arena.exhausted }

// Collect looks for garbage, of which finalization registries tell only then.
func (vm *VM) Collect() { lib.XJS_RunGC(vm.tls, vm.runtime) }

// Close gives all memory back. Values of the VM must not be used any more.
func (vm *VM) Close() {
	vms.Delete(vm.tls)
	libc.Xfree(vm.tls, vm.arguments)
	libc.Xfree(vm.tls, vm.scratch)
	vm.tls.Close()
	vm.arena.close()
}

// Recoverable has faults of memory panic in this goroutine, as Kill needs it, and returns what takes that back.
func Recoverable() (restore func()) {
	before := debug.SetPanicOnFault(true)
	return func() { debug.SetPanicOnFault(before) }
}

// address is that of a function for QuickJS to call.
func address(f any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&f))[1] }

// allocator are the functions of memory that QuickJS calls, with an address by which it knows how much is in use, and so when to
// look for garbage. It needs none that tells the size of a block.
var allocator = [4]uintptr{address(malloc), address(release), address(realloc)}

func (a *arena) account(state uintptr) {
	at[lib.TJSMallocState](state).Fmalloc_size = lib.Tsize_t(a.inUse)
}

func malloc(tls *libc.TLS, state uintptr, size lib.Tsize_t) uintptr {
	a := find(tls).arena
	defer a.account(state)
	return a.malloc(uintptr(size))
}

func release(tls *libc.TLS, state, address uintptr) {
	a := find(tls).arena
	defer a.account(state)
	a.release(address)
}

func realloc(tls *libc.TLS, state, address uintptr, size lib.Tsize_t) uintptr {
	a := find(tls).arena
	defer a.account(state)
	return a.realloc(address, uintptr(size))
}

// interrupt is called now and then by JavaScript that runs. When memory has run out, it is no use to go on.
func interrupt(tls *libc.TLS, _, _ uintptr) int32 {
	if vm := find(tls); vm.interrupted.Load() || vm.arena.exhausted {
		return 1
	}
	return 0
}

func trackRejection(tls *libc.TLS, _ uintptr, promise, reason Value, handled int32, _ uintptr) {
	find(tls).host.Rejected(promise, reason, handled != 0)
}
