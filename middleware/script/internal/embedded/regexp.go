package embedded

import (
	"fmt"
	"regexp"

	"github.com/dop251/goja"
)

// completeRegExp gives RegExp what goja lacks.
func (e *engine) completeRegExp() {
	complete, _ := goja.AssertFunction(e.modules.must(e.vm.RunProgram(compiledRegExp)))
	track := e.modules.must(complete(goja.Undefined(),
		e.vm.ToValue(e.expandProperties), e.vm.ToValue(rangeMark), e.vm.ToValue(e.speciesGetter)))
	e.modules.trackMatches, _ = goja.AssertFunction(track)
}

// lastMatch finds programs that ask RegExp for the last match, such as RegExp.$1. Keeping it makes all matching slower.
var lastMatch = regexp.MustCompile(`\bRegExp\s*(\?\.|\.|\[)\s*\[?\s*['"\x60]?` +
	`(\$[1-9_&+\x60'"]|lastMatch|lastParen|leftContext|rightContext|input)` +
	`|\}\s*=\s*RegExp\b`)

// speciesGetter is a getter for Symbol.species of a constructor that stands for another one. It is in Go since
// String.prototype.split calls it each time.
func (e *engine) speciesGetter(call goja.FunctionCall) goja.Value {
	wrapped, original := call.Argument(0), call.Argument(1)
	return e.vm.ToValue(func(call goja.FunctionCall) goja.Value {
		if call.This == wrapped {
			return original
		}
		return call.This
	})
}

var compiledRegExp = goja.MustCompile("node:internal/regexp", shim("regexp"), false)

func (e *engine) expandProperties(call goja.FunctionCall) goja.Value {
	pattern := call.Argument(0).String()
	expanded, err := expandProperties(pattern)
	if err != nil {
		panic(e.makeError("SyntaxError", fmt.Sprintf("Invalid regular expression: /%s/u: %v", pattern, err)))
	}
	return e.vm.ToValue(expanded)
}
