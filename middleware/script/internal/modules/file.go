package modules

import (
	"bytes"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/tdewolff/parse/v2"
	"github.com/tdewolff/parse/v2/js"
)

// file is what counts in the text of a file for a scan.
//
// The parser knows what each name in a file stands for, and refuses what is nested too deeply before the stack is at its end.
type file struct {
	text     []byte // as it was parsed
	required []required
	uses     []use
	tested   map[reference]bool // it is looked whether they are there
	provided map[reference]bool // they are set

	bound   map[*js.Var]reference // what variables stand for
	mixed   map[*js.Var]bool      // those that stand for several things, so that nothing is known
	binding bool                  // in the first walks, which only find out what variables stand for
	parents []js.INode            // of the node that is looked at, the outermost first
}

// required is what a file requires by a name.
type required struct {
	name     string
	offset   int
	optional bool // the file does without it
}

func (r required) String() string { return fmt.Sprintf("require(%q)", r.name) }

// reference is a module of Node, or a member of one.
type reference struct{ module, member string }

// The members of globals are the globals, those of methods are what objects may be asked to do, and those of modular
// are what ES modules are made of.
const globals, methods, modular = "globalThis", ".prototype", ".mjs"

// use is the use of a member which must be there.
type use struct {
	reference
	offset int
}

func (u use) String() string {
	switch u.module {
	case globals, modular:
		return u.member
	case methods:
		return u.member + "()"
	}
	return strings.ReplaceAll(strings.TrimPrefix(u.module, globals+"/"), "/", ".") + "." + u.member
}

// parseFile reads a CommonJS or ES module. It returns nil if it cannot be parsed.
func parseFile(text []byte) (f *file) {
	defer func() {
		if recover() != nil {
			f = nil // a defect of the parser must not be one of the scan
		}
	}()
	if tooDeep(text) {
		return nil
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if bytes.HasPrefix(text, []byte("#!")) {
		text = append([]byte("//"), text...)
	}
	tree, parsed := tryParse(slices.Concat([]byte("(function(){"), text, []byte("\n})")), text)
	if tree == nil && bytes.IndexByte(text, '0') >= 0 { // to look for old numbers takes longer than to parse
		tree, parsed = tryParse(octal.ReplaceAll(text, []byte("$1 $2")))
	}
	if tree == nil {
		return nil
	}
	f = &file{
		text:     parsed,
		tested:   make(map[reference]bool),
		provided: make(map[reference]bool),
		bound:    make(map[*js.Var]reference),
		mixed:    make(map[*js.Var]bool),
		binding:  true,
	}
	js.Walk(f, tree)
	js.Walk(f, tree) // for variables that are known later than what is taken of them
	f.binding = false
	js.Walk(f, tree)
	return f
}

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

// octal finds numbers such as 0755, which the parser refuses.
var octal = regexp.MustCompile(`([^\w.$])0([0-7]+)\b`)

// tryParse returns the syntax tree of the first of several texts that can be parsed: of a function in which return may
// stand at the top level, or of a module in which import may. It returns the text, too, into which the tree points.
func tryParse(texts ...[]byte) (*js.AST, []byte) {
	for _, text := range texts {
		input := parse.NewInputBytes(slices.Clip(text))
		if tree, err := js.Parse(input, js.Options{}); err == nil {
			return tree, input.Bytes()
		}
	}
	return nil, nil
}

// offset is where in the text a part of it begins, which is all that the parser tells about places.
func (f *file) offset(part []byte) int {
	offset := int(reflect.ValueOf(part).Pointer()) - int(reflect.ValueOf(f.text).Pointer())
	if offset < 0 || offset > len(f.text) {
		return 0
	}
	return offset
}

func (f *file) line(offset int) int { return 1 + bytes.Count(f.text[:offset], []byte("\n")) }

// Enter is called for each node before those below it.
func (f *file) Enter(n js.INode) js.IVisitor {
	if f.binding {
		f.bind(n)
	} else {
		f.look(n)
	}
	f.parents = append(f.parents, n)
	return f
}

// Exit is called for each node after those below it.
func (f *file) Exit(js.INode) { f.parents = f.parents[:len(f.parents)-1] }

// parent returns the node that is some levels above, or nil.
func (f *file) parent(levels int) js.INode {
	if levels > len(f.parents) {
		return nil
	}
	return f.parents[len(f.parents)-levels]
}
