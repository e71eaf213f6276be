package modules

import (
	"bytes"

	"github.com/tdewolff/parse/v2/js"
)

// role is what becomes of the value of an expression.
type role int

const (
	taken    role = iota // it goes somewhere, where it may or may not have to be there
	needed               // without it, there is an exception
	tested               // it is looked whether it is there
	provided             // it is set
)

// look finds what a file requires and uses.
func (f *file) look(n js.INode) {
	switch n := n.(type) {
	case *js.CallExpr:
		if name, literal, ok := f.requiredBy(n); ok {
			f.required = append(f.required, required{name, f.offset(literal), f.isOptional()})
		} else if x, ok := n.X.(*js.LiteralExpr); ok && x.TokenType == js.ImportToken {
			f.uses = append(f.uses, use{reference{modular, "import()"}, f.offset(x.Data)})
		} else if dot, ok := n.X.(*js.DotExpr); ok && !n.Optional {
			if name, ok := dot.Y.(js.LiteralExpr); ok {
				f.uses = append(f.uses, use{reference{methods, string(name.Data)}, f.offset(name.Data)})
			}
		}
	case *js.ImportStmt:
		f.uses = append(f.uses, use{reference{modular, "import"}, f.offset(n.Module)})
	case *js.ExportStmt:
		f.uses = append(f.uses, use{reference{modular, "export"}, bytes.Index(f.text, []byte("export"))})
	case *js.Var, *js.DotExpr, *js.IndexExpr:
		f.lookReference(n)
	case *js.BinaryExpr:
		if name, _, ok := textOf(n.X); ok && n.Op == js.InToken {
			if r, _, ok := f.refer(n.Y); ok {
				f.tested[r.get(name)] = true
			}
		}
	}
}

func (f *file) lookReference(n js.INode) {
	r, named, ok := f.refer(n)
	if !ok || r.member == "" {
		return
	}
	_, isVariable := n.(*js.Var)
	isGlobal := isVariable && r.module == globals && f.isFree(n.(*js.Var))
	switch f.role(n) {
	case needed:
		f.uses = append(f.uses, use{r, f.offset(named)})
	case tested:
		f.tested[r] = true
	case provided:
		if !isVariable || isGlobal {
			f.tested[r], f.provided[r] = true, true
		}
	case taken:
		if isGlobal { // a name that nothing has declared is an exception already
			f.uses = append(f.uses, use{r, f.offset(named)})
		}
	}
}

func (f *file) isFree(v *js.Var) bool {
	v = variable(v)
	_, bound := f.bound[v]
	return v.Decl == js.NoDecl && !bound
}

// role tells what becomes of the value of a node, by those above it.
func (f *file) role(n js.INode) role {
	direct := true // no other value may come in its place
	for level := 1; ; level++ {
		parent := f.parent(level)
		switch p := parent.(type) {
		case *js.GroupExpr:
		case *js.BinaryExpr:
			switch p.Op {
			case js.AndToken, js.OrToken, js.NullishToken:
				if n == p.X {
					return tested
				}
				direct = false
			default:
				return roleOfOperand(p, n)
			}
		case *js.CondExpr:
			if n == p.Cond {
				return tested
			}
			direct = false
		default:
			if found := roleBelow(p, n); found != needed || direct {
				return found
			}
			return taken
		}
		n = parent
	}
}

func roleOfOperand(p *js.BinaryExpr, n js.INode) role {
	switch p.Op {
	case js.EqEqToken, js.EqEqEqToken, js.NotEqToken, js.NotEqEqToken:
		return tested
	case js.EqToken, js.OrEqToken, js.NullishEqToken:
		if n == p.X {
			return provided
		}
	case js.InstanceofToken:
		if n == p.Y {
			return needed
		}
	}
	return taken
}

// roleBelow is the role of a node below one that is no operator between values.
func roleBelow(parent, n js.INode) role {
	optional := map[bool]role{true: tested, false: needed}
	switch p := parent.(type) {
	case *js.UnaryExpr:
		switch p.Op {
		case js.NotToken, js.TypeofToken, js.DeleteToken, js.VoidToken:
			return tested
		}
	case *js.IfStmt, *js.WhileStmt, *js.DoWhileStmt:
		return tested
	case *js.CallExpr:
		return optional[p.Optional]
	case *js.DotExpr:
		return optional[p.Optional]
	case *js.IndexExpr:
		if n == p.X {
			return optional[p.Optional]
		}
	case *js.NewExpr:
		return needed
	case *js.TemplateExpr:
		return needed // it is the tag: what is put in has a TemplatePart around it
	case *js.ClassDecl:
		return needed // it is what the class extends
	case *js.Arg:
		return needed // whom it is given to hardly looks whether it is there
	}
	return taken
}

// isOptional reports whether the file does without what the call requires that is looked at, since it is in try.
func (f *file) isOptional() bool {
	for level := 1; ; level++ {
		switch p := f.parent(level).(type) {
		case nil, *js.FuncDecl, *js.ArrowFunc, *js.MethodDecl:
			return false
		case *js.TryStmt:
			if body, ok := f.parent(level - 1).(*js.BlockStmt); ok && body == p.Body && p.Catch != nil {
				return true
			}
		}
	}
}
