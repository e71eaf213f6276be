package script

import (
	"fmt"

	"github.com/dop251/goja"
)

// Built-in functions cannot be interrupted, and goja bounds neither what they allocate nor how deeply they
// recurse in Go. Those with which one call can take all memory, the whole Go stack, or practically for
// ever, are wrapped: what is beyond the bounds throws a RangeError. A wrapped function is called
// directly, at no cost but that of the check.

const (
	elementSize = 16    // of an array, in bytes
	maxNesting  = 500   // of built-in functions that recurse through JavaScript without goja counting it
	maxJSON     = 10000 // nesting of JSON text
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
	for _, name := range []string{"join", "toLocaleString"} {
		e.wrapNesting(array, name, e.checkJoin)
	}
	e.wrap(e.global("Array"), "from", func(call goja.FunctionCall) { e.checkLength(call.Argument(0)) })

	text := e.global("String").Get("prototype").ToObject(e.vm)
	e.wrap(text, "repeat", func(call goja.FunctionCall) {
		e.charge(float64(lengthOf(call.This)) * call.Argument(0).ToFloat())
	})
	for _, name := range []string{"padStart", "padEnd"} {
		e.wrap(text, name, func(call goja.FunctionCall) { e.charge(call.Argument(0).ToFloat()) })
	}
	for _, name := range []string{"replace", "replaceAll"} {
		e.wrap(text, name, func(call goja.FunctionCall) {
			if goja.IsString(call.Argument(1)) {
				e.checkSize(float64(lengthOf(call.This)) * float64(lengthOf(call.Argument(1))) / 256)
			}
		})
	}
	e.wrap(text, "split", func(call goja.FunctionCall) {
		if separator := call.Argument(0); goja.IsString(separator) && lengthOf(separator) == 0 {
			e.charge(float64(lengthOf(call.This)) * elementSize)
		}
	})
	e.wrap(e.global("JSON"), "parse", func(call goja.FunctionCall) { e.checkJSON(call.Argument(0).String()) })
	e.guardConstructors()
	e.guardGenerators()
}

// guardConstructors bounds what takes its size as an argument.
func (e *engine) guardConstructors() {
	guard, err := e.vm.RunScript("node:internal/guard", shim("guard"))
	if err != nil {
		panic(err)
	}
	wrap, _ := goja.AssertFunction(guard)
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
	object, err := e.vm.New(e.vm.Get("RangeError"), e.vm.ToValue(fmt.Sprintf(format, args...)))
	if err != nil {
		panic(err)
	}
	panic(object)
}

// checkSize throws if something would take more bytes than one call may.
func (e *engine) checkSize(bytes float64) {
	if limit := e.script.options.MemoryLimit; bytes > float64(limit) {
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
	if e.charged > 4*float64(e.script.options.MemoryLimit) {
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

// checkJoin throws if an array is too long, or if it holds long strings so often that together they are.
func (e *engine) checkJoin(call goja.FunctionCall) {
	e.checkLength(call.This)
	object, ok := call.This.(*goja.Object)
	if !ok {
		return
	}
	n := nilSafe(object.Get("length")).ToInteger()
	separator := call.Argument(0)
	total := 0.0
	if goja.IsString(separator) {
		total = float64(n) * float64(lengthOf(separator))
	}
	// Lists of short strings are common and long; looking at a few of them tells.
	step := max(1, n/64)
	for i := int64(0); i < n; i += step {
		if v := object.Get(fmt.Sprint(i)); v != nil && goja.IsString(v) {
			total += float64(step) * float64(lengthOf(v))
		}
	}
	e.checkSize(total)
}

// checkJSON throws if JSON text is nested so deeply that parsing it would take too much Go stack.
func (e *engine) checkJSON(text string) {
	depth, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '[' || c == '{':
			if depth++; depth > maxJSON {
				e.throwRange("JSON text is nested more than %d deep", maxJSON)
			}
		case c == ']' || c == '}':
			depth--
		}
	}
}

func lengthOf(v goja.Value) int {
	if s, ok := v.(goja.String); ok {
		return s.Length()
	}
	return 0
}
