package embedded

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

	"github.com/dop251/goja"
	"github.com/fsnotify/fsnotify"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
)

// fsBinding reads files. The operations return what js/fs.js makes Node's answers of.
func (e *engine) fsBinding() map[string]any {
	return map[string]any{
		"sync": func(call goja.FunctionCall) goja.Value {
			value, err := e.file(fileRequest(call.Arguments))
			if err != nil {
				panic(e.nodeError(err))
			}
			return e.fileValue(value)
		},
		"async": func(call goja.FunctionCall) goja.Value {
			callback, _ := goja.AssertFunction(call.Argument(0))
			request := fileRequest(call.Arguments[1:])
			e.background(e.fileSlots, func(context.Context) func() {
				value, err := e.file(request)
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

// operation is what is asked about a file: a call of the system, a path, and numbers.
type operation struct {
	call, path string
	numbers    [3]int64
}

func fileRequest(arguments []goja.Value) operation {
	o := operation{call: arguments[0].String(), path: arguments[1].String()}
	for i, v := range arguments[2:] {
		o.numbers[i] = v.ToInteger()
	}
	return o
}

// systemError is an error that Node gives a code, such as ENOENT.
type systemError struct {
	code, call, path, text string
	number                 int
}

func (s *systemError) Error() string {
	message := s.code + ": " + s.text + ", " + s.call
	if s.path != "" || s.call == "open" {
		message += " '" + s.path + "'"
	}
	return message
}

// nodeError makes an error of Go one that scripts know.
func (e *engine) nodeError(err error) goja.Value {
	object := e.makeError("Error", err.Error())
	var s *systemError
	if errors.As(err, &s) {
		_ = object.Set("errno", s.number)
		_ = object.Set("code", s.code)
		_ = object.Set("syscall", s.call)
		if s.path != "" || s.call == "open" {
			_ = object.Set("path", s.path)
		}
	}
	return object
}

// known tells the errors that have codes.
func known(err error, call, path string) error {
	if code, text, number := errnoOf(err); code != "" {
		return &systemError{code: code, number: number, call: call, path: path, text: text}
	}
	return err
}

// file does an operation. It is for any goroutine.
func (e *engine) file(o operation) (any, error) {
	switch o.call {
	case "readFile":
		f, err := os.Open(o.path)
		if err != nil {
			return nil, known(err, "open", o.path)
		}
		defer f.Close()
		data, err := e.readAll(f)
		if errors.Is(err, syscall.EFBIG) {
			return nil, known(err, "open", o.path)
		}
		return data, known(err, "read", "")
	case "stat":
		info, err := os.Stat(o.path)
		return info, known(err, "stat", o.path)
	case "lstat":
		info, err := os.Lstat(o.path)
		return info, known(err, "lstat", o.path)
	case "access":
		return nil, known(access(o.path, uint32(o.numbers[0])), "access", o.path)
	case "realpath":
		found, err := filepath.EvalSymlinks(o.path)
		if err == nil {
			found, err = filepath.Abs(found)
		}
		return found, known(err, "lstat", o.path)
	case "readlink":
		target, err := os.Readlink(o.path)
		return target, known(err, "readlink", o.path)
	case "readdir":
		return readFolder(o.path, o.numbers[0] == 1)
	case "open":
		fd, err := e.files.open(o.path)
		return fd, known(err, "open", o.path)
	}
	return e.fileOpen(o)
}

// fileOpen does an operation on a file that is open.
func (e *engine) fileOpen(o operation) (any, error) {
	f, err := e.files.get(o.numbers[0])
	if o.call == "readDescriptor" {
		o.call = "fstat"
		if err == nil {
			data, err := e.readAll(f)
			return data, known(err, "read", "")
		}
	}
	if err != nil {
		return nil, known(err, o.call, "")
	}
	switch o.call {
	case "fstat":
		info, err := f.Stat()
		return info, known(err, o.call, "")
	case "close":
		return nil, known(e.files.close(o.numbers[0]), o.call, "")
	case "read":
		data, n := make([]byte, min(o.numbers[1], e.script.Options().MemoryLimit)), 0
		if o.numbers[2] >= 0 {
			n, err = f.ReadAt(data, o.numbers[2])
		} else {
			n, err = f.Read(data)
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		return data[:n], known(err, o.call, "")
	}
	return nil, fmt.Errorf("fs.%s is not available", o.call)
}

// inFolder is an entry of a folder, which is given relative to the one that was asked for.
type inFolder struct {
	fs.DirEntry
	folder string
}

// maxEntries is how much of a tree of folders can be listed.
const maxEntries = 1 << 20

// readFolder lists a folder, and those in it after their own entry's list.
func readFolder(path string, recursive bool) (found []inFolder, err error) {
	for folders := []string{""}; len(folders) > 0; folders = folders[1:] {
		entries, err := os.ReadDir(filepath.Join(path, folders[0]))
		if err != nil {
			return nil, known(err, "scandir", filepath.Join(path, folders[0]))
		}
		for _, entry := range entries {
			if found = append(found, inFolder{entry, folders[0]}); len(found) > maxEntries {
				return nil, known(syscall.ENOMEM, "scandir", path)
			}
			if recursive && entry.IsDir() {
				folders = append(folders, filepath.Join(folders[0], entry.Name()))
			}
		}
	}
	return found, nil
}

// readAll reads no more than the script's memory limit, and of what has no size, such as a device, a sixteenth
// of that: there are files without an end.
func (e *engine) readAll(f *os.File) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	limit := max(info.Size(), e.script.Options().MemoryLimit/16)
	if limit > e.script.Options().MemoryLimit {
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
	case []inFolder:
		list := make([]any, len(v))
		for i, entry := range v {
			object := e.vm.NewObject()
			_ = object.Set("folder", entry.folder)
			_ = object.Set("name", entry.Name())
			_ = object.Set("kind", kindOf(entry.Type()))
			list[i] = object
		}
		return e.vm.NewArray(list...)
	case string, int64:
		return e.vm.ToValue(v)
	}
	return goja.Undefined()
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
		object := e.nodeError(known(err, "watch", path)).ToObject(e.vm)
		_ = object.Set("filename", path)
		panic(object)
	}
	ctx, cancel := context.WithCancel(e.ctx)
	d := e.owner.Load()
	e.jobs.Go(safely.Func("script watch", func() {
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
	}))
	return e.vm.ToValue(func(goja.FunctionCall) goja.Value {
		cancel()
		return goja.Undefined()
	})
}
