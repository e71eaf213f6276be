package modules

import (
	"bytes"
	"strings"

	"github.com/tdewolff/parse/v2/js"
)

// variable returns the one variable that all uses of it share.
func variable(v *js.Var) *js.Var {
	for v.Link != nil {
		v = v.Link
	}
	return v
}

// refer returns what an expression refers to, and the part of the text that names it.
func (f *file) refer(e js.INode) (r reference, named []byte, ok bool) {
	switch e := e.(type) {
	case *js.Var:
		return f.referVariable(e)
	case *js.GroupExpr:
		return f.refer(e.X)
	case *js.CallExpr:
		if name, literal, ok := f.requiredBy(e); ok {
			return moduleNamed(name), literal, true
		}
	case *js.DotExpr:
		if name, ok := e.Y.(js.LiteralExpr); ok {
			return f.referMember(e.X, string(name.Data), name.Data)
		}
	case *js.IndexExpr:
		if name, literal, ok := textOf(e.Y); ok {
			return f.referMember(e.X, name, literal)
		}
	}
	return reference{}, nil, false
}

func (f *file) referVariable(v *js.Var) (r reference, named []byte, ok bool) {
	v = variable(v)
	if r, ok = f.bound[v]; ok || v.Decl != js.NoDecl {
		return r, v.Data, ok && !f.mixed[v]
	}
	switch name := string(v.Data); name {
	case "globalThis", "global":
		return reference{module: globals}, v.Data, true
	case "process", "console":
		return reference{module: name}, v.Data, true
	default:
		return reference{globals, name}, v.Data, true
	}
}

func (f *file) referMember(object js.IExpr, name string, named []byte) (reference, []byte, bool) {
	r, _, ok := f.refer(object)
	return r.get(name), named, ok
}

// get refers to a member.
func (r reference) get(name string) reference {
	if r.member != "" {
		return reference{r.module + "/" + r.member, name}
	}
	return reference{r.module, name}
}

func moduleNamed(name string) reference { return reference{module: strings.TrimPrefix(name, "node:")} }

// requiredBy returns the name of the module that a call gets by require, and how it stands in the text.
func (f *file) requiredBy(call *js.CallExpr) (name string, literal []byte, ok bool) {
	if len(call.Args.List) == 0 || call.Args.List[0].Rest {
		return "", nil, false
	}
	switch x := call.X.(type) {
	case *js.Var:
		v := variable(x)
		ok = v.Decl == js.NoDecl && string(v.Data) == "require"
	case *js.DotExpr: // module.require
		r, _, known := f.refer(x)
		ok = known && r == reference{globals + "/module", "require"}
	}
	if !ok {
		return "", nil, false
	}
	return textOf(call.Args.List[0].Value)
}

// textOf returns the value of a string in which nothing is escaped or put in, and how it stands in the text.
func textOf(e js.IExpr) (value string, literal []byte, ok bool) {
	switch e := e.(type) {
	case *js.LiteralExpr:
		literal, ok = e.Data, e.TokenType == js.StringToken
	case *js.TemplateExpr:
		literal, ok = e.Tail, len(e.List) == 0 && e.Tag == nil
	}
	if !ok || len(literal) < 2 || bytes.IndexByte(literal, '\\') >= 0 {
		return "", nil, false
	}
	return string(literal[1 : len(literal)-1]), literal, true
}

// bind finds out what variables stand for.
func (f *file) bind(n js.INode) {
	switch n := n.(type) {
	case *js.BindingElement:
		switch f.parent(1).(type) {
		case *js.Params, *js.BindingObjectItem, *js.BindingArray:
			return // what stands there is only a default
		}
		if r, _, ok := f.refer(n.Default); ok {
			f.bindPattern(n.Binding, r)
		}
	case *js.BinaryExpr:
		if v, ok := n.X.(*js.Var); ok && n.Op == js.EqToken {
			if r, _, ok := f.refer(n.Y); ok {
				f.bindVariable(v, r)
			} else {
				f.mixed[variable(v)] = true
			}
		}
	}
}

func (f *file) bindVariable(v *js.Var, r reference) {
	v = variable(v)
	if known, ok := f.bound[v]; v.Decl == js.NoDecl || ok && known != r {
		f.mixed[v] = true
	}
	f.bound[v] = r
}

func (f *file) bindPattern(pattern js.IBinding, r reference) {
	switch pattern := pattern.(type) {
	case *js.Var:
		f.bindVariable(pattern, r)
	case *js.BindingObject:
		for _, item := range pattern.List {
			name, ok := keyOf(item)
			if ok && item.Value.Default != nil {
				f.tested[r.get(name)] = true
			} else if ok {
				f.bindPattern(item.Value.Binding, r.get(name))
			}
		}
	}
}

// keyOf returns the name of the member that is taken out of an object.
func keyOf(item js.BindingObjectItem) (string, bool) {
	if item.Key == nil {
		v, ok := item.Value.Binding.(*js.Var)
		if !ok {
			return "", false
		}
		return string(v.Data), true
	}
	if item.Key.IsComputed() {
		return "", false
	}
	return strings.Trim(string(item.Key.Literal.Data), `"'`), true
}
