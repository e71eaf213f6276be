//go:build !((darwin || freebsd || linux || windows) && (amd64 || arm64))

package quickjs

import (
	"fmt"
	"runtime"
)

// Value and VM are not to be had on this system, where New returns an error.
type (
	Value struct{}
	VM    struct{}
)

// Undefined and True are values.
var Undefined, True Value

// New returns an error.
func New(int64, Host) (*VM, error) {
	return nil, fmt.Errorf("scripts on %s/%s: needs runtime node", runtime.GOOS, runtime.GOARCH)
}

func (*VM) Interrupt()                              {}
func (*VM) Kill()                                   {}
func (*VM) Close()                                  {}
func (*VM) Exhausted() bool                         { return false }
func (*VM) Dup(v Value) Value                       { return v }
func (*VM) Free(Value)                              {}
func (*VM) Text(Value) (string, error)              { return "", ErrInterrupted }
func (*VM) Eval(string, string) (Value, error)      { return Undefined, ErrInterrupted }
func (*VM) Compile(string, string) ([]byte, error)  { return nil, ErrInterrupted }
func (*VM) Run([]byte) (Value, error)               { return Undefined, ErrInterrupted }
func (*VM) Call(Value, ...any) (Value, error)       { return Undefined, ErrInterrupted }
func (*VM) Apply(Value, ...Value) (Value, error)    { return Undefined, ErrInterrupted }
func (*VM) ParseJSON(string, string) (Value, error) { return Undefined, ErrInterrupted }
func (*VM) NewString([]byte) Value                  { return Undefined }
func (*VM) NewObject(map[string]Function) Value     { return Undefined }
func (*VM) SetThrower(Value)                        {}
func (*VM) JobPending() bool                        { return false }
func (*VM) Job() error                              { return ErrInterrupted }
func (*VM) NextJob() Value                          { return Undefined }
func (*VM) Tag(Value, uint32)                       {}
func (*VM) Tagged(Value) uint32                     { return 0 }

func Recoverable() (restore func()) { return func() {} }
func Identity(Value) uintptr        { return 0 }
func Int(Value) int                 { return 0 }
func IsString(Value) bool           { return false }
func Waiting(Value) (Value, bool)   { return Undefined, false }
func Whole(int64) Value             { return Undefined }
