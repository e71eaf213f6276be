package embedded

import (
	"reflect"

	"github.com/dop251/goja/ast"
	"github.com/dop251/goja/file"
)

// findings are what goja parses and then gets wrong.
type findings struct {
	regexps        []*ast.RegExpLiteral
	blockFunctions bool // functions are declared in blocks, and without strict mode they are known outside of them
}

// look finds what is to be done about a program.
func look(program *ast.Program) *findings {
	f := new(findings)
	f.statements(program.Body)
	return f
}

func (f *findings) statements(list []ast.Statement) {
	for _, statement := range list {
		f.value(reflect.ValueOf(statement))
	}
}

func (f *findings) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Interface:
		f.value(v.Elem())
	case reflect.Pointer:
		if !v.IsNil() {
			f.node(v)
		}
	case reflect.Slice:
		for i := range v.Len() {
			f.value(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if field := v.Type().Field(i); field.IsExported() && field.Name != "DeclarationList" { // which repeats what is elsewhere
				f.value(v.Field(i))
			}
		}
	}
}

func (f *findings) node(v reflect.Value) {
	switch node := v.Interface().(type) {
	case *file.File:
	case *ast.RegExpLiteral:
		f.regexps = append(f.regexps, node)
	case *ast.FunctionLiteral:
		f.value(reflect.ValueOf(node.ParameterList))
		f.statements(node.Body.List)
	case *ast.ArrowFunctionLiteral:
		f.value(reflect.ValueOf(node.ParameterList))
		if body, ok := node.Body.(*ast.BlockStatement); ok {
			f.statements(body.List)
		} else {
			f.value(reflect.ValueOf(node.Body))
		}
	case *ast.BlockStatement:
		f.block(node.List)
	case *ast.CaseStatement:
		f.value(reflect.ValueOf(node.Test))
		f.block(node.Consequent)
	default:
		f.value(v.Elem())
	}
}

func (f *findings) block(list []ast.Statement) {
	for _, statement := range list {
		if _, ok := statement.(*ast.FunctionDeclaration); ok {
			f.blockFunctions = true
		}
	}
	f.statements(list)
}
