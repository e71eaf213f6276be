package modules

import (
	"regexp"
	"strings"

	"github.com/tdewolff/parse/v2/js"
)

// globals is the object whose members are the globals.
const globals = "globalThis"

// refer returns what an expression refers to: a module such as `fs/promises`, a member such as `fs.promises.readFile` or
// `process.env`, or a global such as `globalThis.fetch`; and the part of the text that names it. If that is not known, the name is "".
func (f *file) refer(e js.INode) (name string, at []byte) {
	switch e := e.(type) {
	case *js.Var:
		v := declared(e)
		return f.referVariable(v), v.Data
	case *js.GroupExpr:
		return f.refer(e.X)
	case *js.CommaExpr:
		return f.refer(e.List[len(e.List)-1])
	case *js.CallExpr:
		if isInterop(e) {
			return f.refer(e.Args.List[0].Value)
		}
		at = f.required(e)
		return strings.TrimPrefix(string(at), "node:"), at
	case *js.DotExpr:
		name, _ = f.refer(e.X)
		at = textOf(e.Y)
	case *js.IndexExpr:
		name, _ = f.refer(e.X)
		at = textOf(e.Y)
	}
	switch {
	case name == "" || at == nil:
		return "", nil
	case string(at) == "default": // by which compilers call a module as a whole
		return name, at
	}
	return name + "." + string(at), at
}

func (f *file) referVariable(v *js.Var) string {
	if isFree(v) {
		switch name := string(v.Data); name {
		case "process", "console", globals:
			return name
		case "global":
			return globals
		default:
			return globals + "." + name
		}
	}
	if _, ok := f.names[v]; !ok {
		f.names[v] = "" // in case it is set to itself
		for i, value := range f.values[v] {
			name, _ := f.refer(value)
			if i > 0 && name != f.names[v] {
				name = "" // it stands for several things
			}
			f.names[v] = name
		}
	}
	return f.names[v]
}

// interop are functions that compilers wrap around what is required.
var interop = regexp.MustCompile(`^_*(import(Default|Star)|interopRequire(Default|Wildcard)|toESM)$`)

func isInterop(call *js.CallExpr) bool {
	var name []byte
	switch x := call.X.(type) {
	case *js.Var:
		name = x.Data
	case *js.DotExpr:
		name = textOf(x.Y)
	}
	return interop.Match(name) && len(call.Args.List) > 0
}

// required returns the name of what a call requires, or nil.
func (f *file) required(call *js.CallExpr) []byte {
	if len(call.Args.List) > 0 {
		if name, _ := f.refer(call.X); name == globals+".require" || name == globals+".module.require" {
			return textOf(call.Args.List[0].Value)
		}
	}
	return nil
}

// declared returns the one variable that all uses of it share.
func declared(v *js.Var) *js.Var {
	for v.Link != nil {
		v = v.Link
	}
	return v
}

// isFree reports whether nothing in the file declares a variable.
func isFree(v *js.Var) bool { return declared(v).Decl == js.NoDecl }

// memberOf is the expression for a member of an object.
func memberOf(object js.IExpr, name []byte) js.IExpr {
	return &js.DotExpr{X: object, Y: js.LiteralExpr{Data: name}}
}

// quoted finds what a string has in its quotes, if nothing is escaped.
var quoted = regexp.MustCompile("^['\"`]([^\\\\]*)['\"`]$")

// textOf returns the text of a string or of the name of a member. It returns nil if it is another expression, or something is escaped
// or put in.
func textOf(e js.IExpr) []byte {
	var literal []byte
	switch e := e.(type) {
	case js.LiteralExpr: // behind a dot
		return e.Data
	case *js.LiteralExpr:
		literal = e.Data
	case *js.TemplateExpr:
		literal = e.Tail // which is all if nothing is put in
	}
	if match := quoted.FindSubmatch(literal); match != nil {
		return match[1]
	}
	return nil
}
