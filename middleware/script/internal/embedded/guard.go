package embedded

import (
	"fmt"
	"reflect"
	"strconv"

	"github.com/dop251/goja"
)

// Built-in functions cannot be interrupted, and goja bounds neither what they allocate nor how deeply they
// recurse in Go. Those with which one call can take all memory, the whole Go stack, or practically for
// ever, are wrapped: what is beyond the bounds throws a RangeError. A wrapped function is called
// directly, at no cost but that of the check.

const (
	elementSize = 16  // of an array, in bytes
	maxNesting  = 500 // of built-in functions that recurse through JavaScript without goja counting it
)

type native = func(goja.FunctionCall) goja.Value

// arrayMethods loop over the length of what they are called on, holes and all.
var arrayMethods = []string{
	"concat", "copyWithin", "every", "fill", "filter", "find", "findIndex", "findLast", "findLastIndex", "flat", "flatMap", "forEach",
	"includes", "indexOf", "lastIndexOf", "map", "reduce", "reduceRight", "reverse", "shift", "slice", "some", "sort",
	"splice", "toReversed", "toSorted", "toSpliced", "unshift", "with", "toLocaleString",
}

var typedArrays = []string{
	"Int8Array", "Uint8Array", "Uint8ClampedArray", "Int16Array", "Uint16Array", "Int32Array", "Uint32Array", "Float32Array", "Float64Array",
	"BigInt64Array", "BigUint64Array",
}

// guard wraps the dangerous built-in functions.
func (e *engine) guard() {
	array := e.global("Array").Get("prototype").ToObject(e.vm)
	for _, name := range arrayMethods {
		e.wrap(array, name, func(call goja.FunctionCall) { e.checkLength(call.This) })
	}
	e.wrap(array, "concat", func(call goja.FunctionCall) { e.checkSum(call.Arguments) })
	e.wrap(array, "flat", func(call goja.FunctionCall) { e.checkSize(elementSize * e.contents(call.This, 1)) })
	for _, name := range []string{"join", "toLocaleString"} {
		e.wrapNesting(array, name, e.checkJoin)
	}
	e.wrap(e.global("Array"), "from", func(call goja.FunctionCall) { e.checkLength(call.Argument(0)) })

	e.wrap(e.global("Function").Get("prototype").ToObject(e.vm), "apply", func(call goja.FunctionCall) { e.checkLength(call.Argument(1)) })
	e.wrap(e.global("Reflect"), "apply", func(call goja.FunctionCall) { e.checkLength(call.Argument(2)) })
	e.wrap(e.global("Reflect"), "construct", func(call goja.FunctionCall) { e.checkLength(call.Argument(1)) })
	for _, name := range []string{"keys", "values", "entries", "getOwnPropertyNames", "getOwnPropertyDescriptors"} {
		e.wrap(e.global("Object"), name, e.checkKeys)
	}
	e.wrap(e.global("Reflect"), "ownKeys", e.checkKeys)
	for _, name := range []string{"asIntN", "asUintN"} {
		e.wrap(e.global("BigInt"), name, func(call goja.FunctionCall) { e.checkSize(call.Argument(0).ToFloat() / 8) })
	}

	text := e.global("String").Get("prototype").ToObject(e.vm)
	e.wrap(text, "repeat", func(call goja.FunctionCall) {
		e.charge(float64(lengthOf(call.This)) * call.Argument(0).ToFloat())
	})
	for _, name := range []string{"padStart", "padEnd"} {
		e.wrap(text, name, func(call goja.FunctionCall) { e.charge(call.Argument(0).ToFloat()) })
	}
	for _, name := range []string{"replace", "replaceAll"} {
		e.wrapReplace(text, name)
	}
	e.wrap(e.global("String"), "raw", func(call goja.FunctionCall) {
		if strings, ok := call.Argument(0).(*goja.Object); ok {
			e.checkLength(strings.Get("raw"))
		}
	})
	e.wrap(text, "split", func(call goja.FunctionCall) {
		if separator := call.Argument(0); goja.IsString(separator) && lengthOf(separator) == 0 {
			e.charge(float64(lengthOf(call.This)) * elementSize)
		}
	})
	json := e.global("JSON")
	e.wrap(json, "parse", func(call goja.FunctionCall) {
		if deeperThan(call.Argument(0).String(), `"`, maxDepth) {
			e.throwRange("JSON text is nested more than %d deep", maxDepth)
		}
	})
	e.wrap(json, "stringify", func(call goja.FunctionCall) {
		e.checkSize(e.contents(call.Argument(0), 2))
		e.checkSize(elementSize * float64(e.length(call.Argument(1))))
	})
	e.guardConstructors()
	e.guardGenerators()
	e.guardCode()
}

// guardConstructors bounds what takes its size as an argument.
func (e *engine) guardConstructors() {
	wrap := e.shimmed("guard")
	check := e.vm.ToValue(func(call goja.FunctionCall) goja.Value {
		e.charge(call.Argument(0).ToFloat())
		return goja.Undefined()
	})
	for _, name := range append([]string{"ArrayBuffer"}, typedArrays...) {
		if _, err := wrap(goja.Undefined(), e.vm.ToValue(name), check); err != nil {
			panic(err)
		}
	}
}

// shimmed runs a file of this package's own that is a function.
func (e *engine) shimmed(file string) goja.Callable {
	value, err := e.vm.RunScript("node:internal/"+file, shim(file))
	if err != nil {
		panic(err)
	}
	f, _ := goja.AssertFunction(value)
	return f
}

// guardGenerators bounds generators that delegate to generators, which is recursion in Go.
func (e *engine) guardGenerators() {
	v, err := e.vm.RunString("Object.getPrototypeOf(function* () {}).prototype")
	if err != nil {
		panic(err)
	}
	e.wrapNesting(v.ToObject(e.vm), "next", func(goja.FunctionCall) {})
}

func (e *engine) global(name string) *goja.Object { return e.vm.Get(name).ToObject(e.vm) }

func (e *engine) wrap(object *goja.Object, name string, check func(goja.FunctionCall)) {
	original, ok := nilSafe(object.Get(name)).Export().(native)
	if !ok {
		return // this version of goja does not have it
	}
	e.replaceMethod(object, name, func(call goja.FunctionCall) goja.Value {
		check(call)
		return original(call)
	})
}

// wrapNesting bounds how deeply a function may be called within itself, too.
func (e *engine) wrapNesting(object *goja.Object, name string, check func(goja.FunctionCall)) {
	original, ok := nilSafe(object.Get(name)).Export().(native)
	if !ok {
		return
	}
	depth := 0
	e.replaceMethod(object, name, func(call goja.FunctionCall) goja.Value {
		check(call)
		if depth >= maxNesting {
			e.throwRange("too much recursion")
		}
		depth++
		defer func() { depth-- }()
		return original(call)
	})
}

func (e *engine) replaceMethod(object *goja.Object, name string, f native) {
	length := nilSafe(object.Get(name).ToObject(e.vm).Get("length"))
	wrapped := e.vm.ToValue(f).ToObject(e.vm)
	_ = wrapped.DefineDataProperty("name", e.vm.ToValue(name), goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = wrapped.DefineDataProperty("length", length, goja.FLAG_FALSE, goja.FLAG_TRUE, goja.FLAG_FALSE)
	_ = object.DefineDataProperty(name, wrapped, goja.FLAG_TRUE, goja.FLAG_TRUE, goja.FLAG_FALSE)
}

func (e *engine) throwRange(format string, args ...any) {
	panic(e.makeError("RangeError", fmt.Sprintf(format, args...)))
}

// checkSize throws if something would take more bytes than one call may.
func (e *engine) checkSize(bytes float64) {
	if limit := e.script.Options().MemoryLimit; bytes > float64(limit) {
		e.throwRange("%.0f bytes are more than the script's memory limit of %d", bytes, limit)
	}
}

// charge is checkSize for what is allocated at once. In one stretch that may be four times as much in all, since
// the watchdog, which looks now and then, can be late for it.
func (e *engine) charge(bytes float64) {
	e.checkSize(bytes)
	if bytes > 0 {
		e.charged += bytes
	}
	if e.charged > 4*float64(e.script.Options().MemoryLimit) {
		e.throwRange("%.0f bytes at once are more than four times the script's memory limit", e.charged)
	}
}

// checkLength throws if an array, or what is used like one, is longer than an array may be.
func (e *engine) checkLength(v goja.Value) {
	if text, ok := v.(goja.String); ok {
		e.checkSize(float64(text.Length()) * elementSize)
	} else if object, ok := v.(*goja.Object); ok {
		if n := nilSafe(object.Get("length")); goja.IsNumber(n) {
			e.checkSize(n.ToFloat() * elementSize)
		}
	}
}

// checkKeys throws if a typed array has too many elements to list them. The length of other objects may be a getter.
func (e *engine) checkKeys(call goja.FunctionCall) {
	if object, ok := call.Argument(0).(*goja.Object); ok && object.ExportType().Kind() == reflect.Slice {
		e.checkLength(object)
	}
}

// checkJoin throws if an array is too long, or if what it holds is when it is put together.
func (e *engine) checkJoin(call goja.FunctionCall) {
	e.checkLength(call.This)
	total := e.contents(call.This, 2)
	if separator := call.Argument(0); goja.IsString(separator) {
		total += float64(e.length(call.This)) * float64(lengthOf(separator))
	}
	e.checkSize(total)
}

// checkSum throws if arrays are too long together.
func (e *engine) checkSum(values []goja.Value) {
	total := 0.0
	for _, v := range values {
		total += elementSize * float64(e.length(v))
	}
	e.checkSize(total)
}

// contents estimates how many characters and elements an array has, with arrays in it down to a depth. Lists of short
// strings are common and long; looking at a few of them tells.
func (e *engine) contents(v goja.Value, depth int) float64 {
	if text, ok := v.(goja.String); ok {
		return float64(text.Length())
	}
	n := e.length(v)
	if n == 0 {
		return 1
	}
	if depth == 0 {
		return float64(n)
	}
	object, total := v.(*goja.Object), 0.0
	step := max(1, n/64)
	for i := int64(0); i < n; i += step {
		total += float64(min(step, n-i)) * e.contents(object.Get(strconv.FormatInt(i, 10)), depth-1)
	}
	return total
}

// length returns the length of an array. What is no array has none, so that its getters are left alone.
func (e *engine) length(v goja.Value) int64 {
	object, ok := v.(*goja.Object)
	if !ok || object.ClassName() != "Array" {
		return 0
	}
	return nilSafe(object.Get("length")).ToInteger()
}

func lengthOf(v goja.Value) int {
	if s, ok := v.(goja.String); ok {
		return s.Length()
	}
	return 0
}
