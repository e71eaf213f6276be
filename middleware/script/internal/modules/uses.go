package modules

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tdewolff/parse/v2/js"
)

// uses are what a file requires, needs and tests.
type uses struct {
	*scan
	*file
	folder string
	more   []string        // the paths of files that it requires
	lacked Needs           // what it needs and the runtime lacks
	tested map[string]bool // it is looked whether this is there
}

// look finds the uses at a node.
func (u *uses) look(at node) {
	switch n := at.INode.(type) {
	case *js.Var:
		if isFree(n) {
			u.need(n, false) // a name that nothing declares is an exception wherever it stands
		}
	case *js.DotExpr:
		u.need(n.X, n.Optional)
	case *js.IndexExpr:
		u.need(n.X, n.Optional)
	case *js.CallExpr:
		u.need(n.X, n.Optional)
		u.lookAtCall(n, at.caught)
	case *js.NewExpr:
		u.need(n.X, false)
	case *js.ClassDecl:
		u.need(n.Extends, false)
	case *js.Arg:
		u.need(n.Value, false) // whom it is given to hardly looks whether it is there
	case *js.UnaryExpr:
		u.test(n.X)
	case *js.IfStmt:
		u.test(n.Cond)
	case *js.CondExpr:
		u.test(n.Cond)
	case *js.BinaryExpr:
		u.lookAtBinary(n)
	case *js.ImportStmt:
		u.lack("import", n.Module)
	case *js.ExportStmt:
		u.lack("export", u.text[bytes.Index(u.text, []byte("export")):])
	}
}

func (u *uses) lookAtCall(call *js.CallExpr, caught bool) {
	if name := u.required(call); name != nil {
		u.require(string(name), name, caught)
	}
	switch x := call.X.(type) {
	case *js.LiteralExpr:
		if x.TokenType == js.ImportToken {
			u.lack("import()", x.Data)
		}
	case *js.DotExpr:
		name := textOf(x.Y)
		if !call.Optional && slices.Contains(u.runtime.Methods, string(name)) {
			u.lack(string(name)+"()", name)
		}
		if most, ok := u.runtime.Options[string(name)]; ok && len(call.Args.List) > most {
			u.lack(string(name)+"(): options", name)
		}
	}
}

func (u *uses) lookAtBinary(n *js.BinaryExpr) {
	switch n.Op {
	case js.AndToken, js.OrToken, js.NullishToken:
		u.test(n.X)
	case js.EqEqToken, js.EqEqEqToken, js.NotEqToken, js.NotEqEqToken:
		u.test(n.X)
		u.test(n.Y)
	case js.InToken:
		if name := textOf(n.X); name != nil {
			u.test(memberOf(n.Y, name))
		}
	case js.InstanceofToken:
		u.need(n.Y, false)
	}
	if v, ok := n.X.(*js.Var); isAssignment(n.Op) && (!ok || isFree(v)) {
		name, _ := u.refer(n.X)
		u.provided[shown(name)] = true
	}
}

// require has what the file requires scanned. If it does without it, as packages do, only a file of the script itself counts.
func (u *uses) require(name string, at []byte, optional bool) {
	if _, ok := u.runtime.Modules[strings.TrimPrefix(name, "node:")]; ok {
		return
	}
	path, err := Resolve(u.folder, name)
	_, ofNode := nodeModule(name)
	switch ending := filepath.Ext(path); {
	case err != nil && ofNode || ending == ".node":
		if !optional {
			u.lack(fmt.Sprintf("require(%q)", name), at)
		}
	case err == nil && ending != ".json" && (!optional || isPath(name)):
		u.more = append(u.more, path)
	}
}

// test notes that it is looked whether the value of an expression is there.
func (u *uses) test(e js.IExpr) {
	switch e := e.(type) {
	case *js.GroupExpr:
		u.test(e.X)
	case *js.BinaryExpr:
		if e.Op == js.AndToken || e.Op == js.OrToken || e.Op == js.NullishToken {
			u.test(e.Y) // as X is in any case
		}
	default:
		name, _ := u.refer(e)
		u.tested[shown(name)] = true
	}
}

// need notes that there is an exception without the value of an expression; or that the file tests for it, being optional.
func (u *uses) need(e js.IExpr, optional bool) {
	if optional {
		u.test(e)
	} else if name, at := u.refer(e); u.lacks(name) {
		u.lack(shown(name), at)
	}
}

func (u *uses) lack(what string, at []byte) {
	if !slices.ContainsFunc(u.lacked, func(n Need) bool { return n.What == what }) {
		u.lacked = append(u.lacked, Need{Line: u.line(at), What: what})
	}
}
