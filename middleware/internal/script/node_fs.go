package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/dop251/goja"
	"github.com/fsnotify/fsnotify"
)

// fsBinding reads files. The operations return what js/fs.js makes Node's answers of.
func (e *engine) fsBinding() map[string]any {
	return map[string]any{
		"sync": func(call goja.FunctionCall) goja.Value {
			value, err := e.file(call.Argument(0).String(), call.Argument(1).String())
			if err != nil {
				panic(e.nodeError(err))
			}
			return e.fileValue(value)
		},
		"async": func(call goja.FunctionCall) goja.Value {
			callback, _ := goja.AssertFunction(call.Argument(0))
			operation, path := call.Argument(1).String(), call.Argument(2).String()
			e.background(e.files, func(context.Context) func() {
				value, err := e.file(operation, path)
				return func() {
					if err != nil {
						e.call(callback, goja.Undefined(), e.nodeError(err))
					} else {
						e.call(callback, goja.Undefined(), goja.Null(), e.fileValue(value))
					}
				}
			})
			return goja.Undefined()
		},
		"watch": e.watchPath,
	}
}

// systemError is an error that Node gives a code, such as ENOENT.
type systemError struct {
	code, call, path, text string
}

func (s *systemError) Error() string {
	return s.code + ": " + s.text + ", " + s.call + " '" + s.path + "'"
}

// nodeError makes an error of Go one that scripts know.
func (e *engine) nodeError(err error) goja.Value {
	object := e.makeError("Error", err.Error())
	var s *systemError
	if errors.As(err, &s) {
		_ = object.Set("code", s.code)
		_ = object.Set("syscall", s.call)
		_ = object.Set("path", s.path)
	}
	return object
}

// known tells the errors that have codes.
func known(err error, call, path string) error {
	for _, k := range []struct {
		is         error
		code, text string
	}{
		{fs.ErrNotExist, "ENOENT", "no such file or directory"},
		{fs.ErrPermission, "EACCES", "permission denied"},
		{syscall.EISDIR, "EISDIR", "illegal operation on a directory"},
		{syscall.ENOTDIR, "ENOTDIR", "not a directory"},
		{syscall.ELOOP, "ELOOP", "too many symbolic links encountered"},
		{syscall.EMFILE, "EMFILE", "too many open files"},
		{syscall.EFBIG, "EFBIG", "file too large"},
	} {
		if errors.Is(err, k.is) {
			return &systemError{code: k.code, call: call, path: path, text: k.text}
		}
	}
	return err
}

// file does one of the operations. It is for any goroutine.
func (e *engine) file(operation, path string) (any, error) {
	switch operation {
	case "readFile":
		data, err := e.readFile(path)
		return data, known(err, "open", path)
	case "stat":
		info, err := os.Stat(path)
		return info, known(err, "stat", path)
	case "lstat":
		info, err := os.Lstat(path)
		return info, known(err, "lstat", path)
	case "access":
		f, err := os.Open(path)
		if err == nil {
			err = f.Close()
		}
		return nil, known(err, "access", path)
	case "realpath":
		found, err := filepath.EvalSymlinks(path)
		if err == nil {
			found, err = filepath.Abs(found)
		}
		return found, known(err, "realpath", path)
	case "readdir":
		entries, err := os.ReadDir(path)
		return entries, known(err, "scandir", path)
	}
	return nil, fmt.Errorf("fs.%s is not available", operation)
}

// readFile reads no more than the script's memory limit, and of what has no size, such as a device, a sixteenth
// of that: there are files without an end.
func (e *engine) readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	limit := max(info.Size(), e.script.options.MemoryLimit/16)
	if limit > e.script.options.MemoryLimit {
		return nil, syscall.EFBIG
	}
	var data bytes.Buffer
	data.Grow(int(info.Size()) + bytes.MinRead)
	if _, err = data.ReadFrom(io.LimitReader(f, limit+1)); err == nil && int64(data.Len()) > limit {
		err = syscall.EFBIG
	}
	return data.Bytes(), err
}

// fileValue brings an answer over to JavaScript.
func (e *engine) fileValue(value any) goja.Value {
	switch v := value.(type) {
	case []byte:
		return e.vm.ToValue(e.vm.NewArrayBuffer(v))
	case fs.FileInfo:
		return e.stats(v)
	case []fs.DirEntry:
		list := make([]any, len(v))
		for i, entry := range v {
			object := e.vm.NewObject()
			_ = object.Set("name", entry.Name())
			_ = object.Set("kind", kindOf(entry.Type()))
			list[i] = object
		}
		return e.vm.NewArray(list...)
	case string:
		return e.vm.ToValue(v)
	}
	return goja.Undefined()
}

// stats has the modification for every time: a portable FileInfo knows no other.
func (e *engine) stats(info fs.FileInfo) goja.Value {
	object := e.vm.NewObject()
	_ = object.Set("size", info.Size())
	_ = object.Set("mode", int64(info.Mode().Perm())|typeBits(info.Mode()))
	for _, name := range []string{"mtimeMs", "atimeMs", "ctimeMs", "birthtimeMs"} {
		_ = object.Set(name, float64(info.ModTime().UnixNano())/float64(time.Millisecond))
	}
	_ = object.Set("kind", kindOf(info.Mode()))
	return object
}

func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "file"
	case mode.IsDir():
		return "directory"
	case mode&fs.ModeSymlink != 0:
		return "link"
	case mode&fs.ModeSocket != 0:
		return "socket"
	case mode&fs.ModeNamedPipe != 0:
		return "fifo"
	case mode&fs.ModeCharDevice != 0:
		return "character"
	}
	return "block"
}

func typeBits(mode fs.FileMode) int64 {
	switch kindOf(mode) {
	case "file":
		return 0o100000
	case "directory":
		return 0o040000
	case "link":
		return 0o120000
	}
	return 0
}

// watchPath is fs.watch(path, change, error); it returns the function that ends it.
func (e *engine) watchPath(call goja.FunctionCall) goja.Value {
	path := call.Argument(0).String()
	changed, _ := goja.AssertFunction(call.Argument(1))
	failed, _ := goja.AssertFunction(call.Argument(2))
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		if err = watcher.Add(path); err != nil {
			watcher.Close()
		}
	}
	if err != nil {
		panic(e.nodeError(known(err, "watch", path)))
	}
	ctx, cancel := context.WithCancel(e.ctx)
	d := e.owner.Load()
	e.jobs.Go(func() {
		defer watcher.Close()
		for {
			select {
			case event := <-watcher.Events:
				kind := "change"
				if event.Has(fsnotify.Create) || event.Has(fsnotify.Remove) || event.Has(fsnotify.Rename) {
					kind = "rename"
				}
				name := filepath.Base(event.Name)
				e.post(d, func() { e.call(changed, goja.Undefined(), e.vm.ToValue(kind), e.vm.ToValue(name)) })
			case err := <-watcher.Errors:
				e.post(d, func() { e.call(failed, goja.Undefined(), e.nodeError(err)) })
			case <-ctx.Done():
				return
			}
		}
	})
	return e.vm.ToValue(func(goja.FunctionCall) goja.Value {
		cancel()
		return goja.Undefined()
	})
}
