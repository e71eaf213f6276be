package modules

import (
	"bytes"
	"reflect"
	"regexp"
	"slices"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/js"
)

// file is a CommonJS or ES module in its parts.
type file struct {
	text   []byte                 // as it was parsed
	nodes  []node                 // of the syntax tree, each before those below it
	values map[*js.Var][]js.IExpr // what variables are set to, other than null and the like
	names  map[*js.Var]string     // what variables were found to refer to
}

type node struct {
	js.INode
	caught bool // the file catches an exception there
}

// parseFile returns nil if a text cannot be parsed.
func parseFile(text []byte) *file {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if bytes.HasPrefix(text, []byte("#!")) {
		text = append([]byte("//"), text...)
	}
	if tooDeep(text) {
		return nil
	}
	for _, options := range []js.Options{{Inline: true}, {}} { // as in a function, where return may stand; as in a module, where import may
		input := parse.NewInputBytes(slices.Clip(text))
		if tree, err := js.Parse(input, options); err == nil {
			f := &file{text: input.Bytes(), values: make(map[*js.Var][]js.IExpr), names: make(map[*js.Var]string)}
			js.Walk(&walk{file: f}, tree)
			return f
		}
	}
	if modern := octal.ReplaceAll(text, []byte("$1 $2")); !bytes.Equal(modern, text) {
		return parseFile(modern)
	}
	return nil
}

// octal finds numbers such as 0755, which the parser refuses.
var octal = regexp.MustCompile(`([^\w.$])0+([0-7]+)\b`)

// tooDeep reports whether brackets are nested so deeply that the parser, which bounds only expressions and statements,
// would take hundreds of megabytes of stack.
func tooDeep(text []byte) bool {
	depth := 0
	for _, c := range text {
		switch c {
		case '(', '[', '{':
			if depth++; depth > 10000 {
				return true
			}
		case ')', ']', '}':
			depth--
		}
	}
	return false
}

// line is the line of a part of the text. Where in the memory the part begins is all that the parser tells about places.
func (f *file) line(part []byte) int {
	offset := int(reflect.ValueOf(part).Pointer()) - int(reflect.ValueOf(f.text).Pointer())
	if offset < 0 || offset > len(f.text) {
		return 1
	}
	return 1 + bytes.Count(f.text[:offset], []byte("\n"))
}

// walk goes through a syntax tree and collects its nodes and what variables are set to.
type walk struct {
	*file
	try    *js.BlockStmt // the innermost one that has a catch
	caught bool          // the place is in such a block
}

// Enter is called for each node before those below it.
func (w *walk) Enter(n js.INode) js.IVisitor {
	below := w
	switch n := n.(type) {
	case *js.TryStmt:
		if n.Catch != nil {
			below = &walk{w.file, n.Body, w.caught}
		}
	case *js.BlockStmt:
		if n == w.try {
			below = &walk{w.file, n, true}
		}
	case *js.FuncDecl, *js.ArrowFunc, *js.MethodDecl:
		below = &walk{file: w.file}
	case *js.VarDecl:
		for _, element := range n.List {
			w.set(element.Binding, element.Default)
		}
	case *js.BinaryExpr:
		if v, ok := n.X.(*js.Var); ok && isAssignment(n.Op) {
			w.set(v, n.Y)
		}
	}
	w.nodes = append(w.nodes, node{n, below.caught})
	return below
}

// Exit does nothing.
func (*walk) Exit(js.INode) {}

// set notes the value of a variable. Those of a pattern get what they take out of the value, unless they have another one by default.
func (f *file) set(pattern js.IBinding, value js.IExpr) {
	switch pattern := pattern.(type) {
	case *js.Var:
		if _, literal := value.(*js.LiteralExpr); value != nil && !literal {
			v := declared(pattern)
			f.values[v] = append(f.values[v], value)
		}
	case *js.BindingObject:
		for _, item := range pattern.List {
			if name := keyOf(item); name != nil && item.Value.Default == nil {
				f.set(item.Value.Binding, memberOf(value, name))
			}
		}
	}
}

// keyOf returns the name of what a pattern takes out of an object, or nil if it is computed.
func keyOf(item js.BindingObjectItem) []byte {
	if v, ok := item.Value.Binding.(*js.Var); ok && item.Key == nil {
		return v.Data
	} else if item.Key == nil || item.Key.IsComputed() {
		return nil
	}
	return bytes.Trim(item.Key.Literal.Data, `"'`)
}

func isAssignment(op js.TokenType) bool {
	return op == js.EqToken || op == js.OrEqToken || op == js.NullishEqToken
}
