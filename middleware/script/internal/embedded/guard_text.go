package embedded

import (
	"regexp"
	"strings"

	"github.com/dop251/goja"
)

// goja's parsers recurse in Go, which a program does not survive when its stack is full.
const (
	maxDepth = 10000   // of brackets in JSON and in code
	maxCode  = 1 << 20 // bytes of code that is made at run time: what else can be nested in it does not fill the stack
	quotes   = "\"'`"
)

// property is what goja takes for a letter in the regular expressions of code that it compiles by itself.
var property = regexp.MustCompile(`\\[pP]\{`)

// guardCode bounds the code that eval and the constructors of functions make.
func (e *engine) guardCode() {
	check := e.vm.ToValue(func(call goja.FunctionCall) goja.Value {
		text := call.Argument(0).String()
		if len(text) > maxCode {
			e.throwRange("%d bytes of code are more than %d", len(text), maxCode)
		}
		if deeperThan(text, quotes, maxDepth) {
			e.throwRange("the code is nested more than %d deep", maxDepth)
		}
		if property.MatchString(text) {
			panic(e.makeError("SyntaxError", `code that is made at run time can't have \p in regular expressions`))
		}
		return goja.Undefined()
	})
	if _, err := e.shimmed("code")(goja.Undefined(), check); err != nil {
		panic(err)
	}
}

// wrapReplace bounds what a replacement makes of a text. Only where that could be too much, it counts the matches first.
func (e *engine) wrapReplace(text *goja.Object, name string) {
	original, ok := nilSafe(text.Get(name)).Export().(native)
	if !ok {
		return
	}
	e.replaceMethod(text, name, func(call goja.FunctionCall) goja.Value {
		if goja.IsString(call.Argument(1)) && call.This != nil {
			size, replacement := float64(lengthOf(call.This)), call.Argument(1).String()
			each := float64(len(replacement)) + size*float64(strings.Count(replacement, "$"))
			if (size+1)*each > float64(e.script.Options().MemoryLimit) {
				matches := 0.0
				original(goja.FunctionCall{This: call.This, Arguments: []goja.Value{
					call.Argument(0),
					e.vm.ToValue(func(goja.FunctionCall) goja.Value { matches++; return e.vm.ToValue("") }),
				}})
				e.checkSize(matches * each)
			}
		}
		return original(call)
	})
}

// deeperThan reports whether a text has brackets that are nested deeper than a limit. In strings, which begin with one of
// the quotes, they don't count.
func deeperThan(text, quotes string, limit int) bool {
	depth, quote := 0, byte(0)
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0 && c == '\\':
			i++
		case c == quote, quote != 0 && quote != '`' && c == '\n':
			quote = 0
		case quote != 0:
		case strings.IndexByte(quotes, c) >= 0:
			quote = c
		case c == '[' || c == '{' || c == '(':
			if depth++; depth > limit {
				return true
			}
		case c == ']' || c == '}' || c == ')':
			depth--
		}
	}
	return false
}
