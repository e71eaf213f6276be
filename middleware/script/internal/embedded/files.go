package embedded

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/fsnotify/fsnotify"
	"golang.org/x/sync/semaphore"

	"github.com/caddy-sticky/caddy-sticky/internal/safely"
	"github.com/caddy-sticky/caddy-sticky/middleware/script/internal/embedded/quickjs"
)

const (
	maxEntries  = 1 << 20 // of a folder that can be listed
	maxWatchers = 1000
)

// fileFunctions are what js/fs.js calls. It makes Node's answers of theirs.
func (e *engine) fileFunctions() map[string]quickjs.Function {
	return map[string]quickjs.Function{
		"fileSync": func(a []any) (any, error) {
			operation := e.operation(a)
			return e.blocking(func() (any, error) { return operation(e.ctx) })
		},
		"fileAsync": func(a []any) (any, error) { return e.background(e.fileSlots, e.operation(a)) },
		"watch":     func(a []any) (any, error) { return e.watchPath(a[0].(string)) },
		"unwatch": does(func(a []any) {
			if stop := e.watched[int(a[0].(float64))]; stop != nil {
				stop()
			}
		}),
	}
}

// blocking has the script wait for work, unless that takes longer than the script may.
func (e *engine) blocking(work func() (any, error)) (any, error) {
	done := make(chan struct{})
	var found any
	var fault error
	go safely.Do("script file", func() {
		defer close(done)
		found, fault = guarded(work)
	})
	select {
	case <-done:
		return found, fault
	case <-e.ctx.Done():
		return nil, quickjs.ErrInterrupted
	}
}

// errnos are the errors of the system that Node gives a code and a text.
var errnos = []struct {
	errno      syscall.Errno
	code, text string
}{
	{syscall.ENOENT, "ENOENT", "no such file or directory"},
	{syscall.EACCES, "EACCES", "permission denied"},
	{syscall.EPERM, "EPERM", "operation not permitted"},
	{syscall.EISDIR, "EISDIR", "illegal operation on a directory"},
	{syscall.ENOTDIR, "ENOTDIR", "not a directory"},
	{syscall.ELOOP, "ELOOP", "too many symbolic links encountered"},
	{syscall.EMFILE, "EMFILE", "too many open files"},
	{syscall.EFBIG, "EFBIG", "file too large"},
	{syscall.ENAMETOOLONG, "ENAMETOOLONG", "name too long"},
	{syscall.EINVAL, "EINVAL", "invalid argument"},
	{syscall.EIO, "EIO", "i/o error"},
	{syscall.ENOMEM, "ENOMEM", "not enough memory"},
}

// known tells the errors that have codes. They name the path, if there is one.
func known(err error, call string, path ...string) error {
	for _, e := range errnos {
		if errors.Is(err, e.errno) || e.errno == syscall.ENOENT && errors.Is(err, fs.ErrNotExist) || e.errno == syscall.EACCES && errors.Is(err, fs.ErrPermission) {
			message, properties := e.code+": "+e.text+", "+call, map[string]any{"errno": -int(e.errno), "code": e.code, "syscall": call}
			if len(path) > 0 {
				message += " '" + path[0] + "'"
				properties["path"] = path[0]
			}
			return &problem{errors.New(message), "Error", properties}
		}
	}
	return err
}

// operation is what is asked about a file, by its name and a path.
func (e *engine) operation(a []any) func(context.Context) (any, error) {
	name, path := a[0].(string), a[1].(string)
	return inBackground(func() (any, error) {
		switch name {
		case "readFile":
			return e.readFile(path)
		case "stat":
			info, err := os.Stat(path)
			return stats(info), known(err, "stat", path)
		case "access":
			_, err := os.Stat(path)
			return nil, known(err, "access", path)
		case "open":
			f, err := openFile(path)
			if err == nil {
				f.Close()
			}
			return nil, known(err, "access", path)
		case "realpath":
			found, err := filepath.EvalSymlinks(path)
			if err == nil {
				found, err = filepath.Abs(found)
			}
			return found, known(err, "lstat", path)
		default:
			return readFolder(path)
		}
	})
}

// openFile opens a file for reading. Of a FIFO without a writer, it would not return otherwise.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// mostRead is how much of files there may be beside the script's memory.
func (e *engine) mostRead() int64 { return e.script.Options().MemoryLimit / 2 }

// readFile reads a file of at most half of the script's memory limit, and of what has no size, such as a device, a
// sixteenth of that: there are files without an end.
func (e *engine) readFile(path string) (any, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, known(err, "open", path)
	}
	defer f.Close()
	defer context.AfterFunc(e.ctx, safely.Func("script file", func() { f.Close() }))()
	info, err := f.Stat()
	if err != nil {
		return nil, known(err, "fstat", path)
	}
	most := e.mostRead()
	limit := max(info.Size(), most/8)
	if limit > most {
		return nil, known(syscall.EFBIG, "open", path)
	}
	h := &held{size: limit, budget: e.memory}
	if err := e.memory.Acquire(e.ctx, limit); err != nil {
		return nil, err
	}
	var data bytes.Buffer
	data.Grow(int(info.Size()) + bytes.MinRead)
	if _, err = data.ReadFrom(io.LimitReader(f, limit+1)); err == nil && int64(data.Len()) > limit {
		err = syscall.EFBIG
	}
	if err != nil {
		h.Release()
		return nil, known(err, "read")
	}
	h.data = data.Bytes()
	return h, nil
}

// held is what was read and is not the script's yet, which takes a part of a budget.
type held struct {
	data   []byte
	size   int64
	budget *semaphore.Weighted
}

// Bytes are what the script gets.
func (h *held) Bytes() []byte { return h.data }

// Release makes room for others.
func (h *held) Release() { h.budget.Release(h.size) }

// readFolder lists a folder.
func readFolder(path string) (any, error) {
	entries, err := os.ReadDir(path)
	if err == nil && len(entries) > maxEntries {
		err = syscall.ENOMEM
	}
	if err != nil {
		return nil, known(err, "scandir", path)
	}
	found := make([]map[string]string, len(entries))
	for i, entry := range entries {
		found[i] = map[string]string{"name": entry.Name(), "kind": kindOf(entry.Type())}
	}
	return found, nil
}

// stats has the modification for every time: a portable FileInfo knows no other.
func stats(info fs.FileInfo) any {
	if info == nil {
		return nil
	}
	modified := float64(info.ModTime().UnixNano()) / float64(time.Millisecond)
	kind := kindOf(info.Mode())
	return map[string]any{
		"size": info.Size(), "mode": int64(info.Mode().Perm()) | typeBits[kind], "kind": kind,
		"mtimeMs": modified, "atimeMs": modified, "ctimeMs": modified, "birthtimeMs": modified,
	}
}

var typeBits = map[string]int64{"file": 0o100000, "directory": 0o040000, "link": 0o120000}

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

// watchPath begins fs.watch and returns the number by which js/fs.js hears of changes and ends it.
func (e *engine) watchPath(path string) (any, error) {
	if len(e.watched) >= maxWatchers {
		return nil, known(syscall.EMFILE, "watch", path)
	}
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		if err = watcher.Add(path); err != nil {
			watcher.Close()
		}
	}
	if err != nil {
		return nil, known(err, "watch", path)
	}
	number, client := e.timers.number(), e.owner.Load()
	ctx, cancel := context.WithCancel(e.ctx)
	e.watched[number] = func() {
		cancel()
		delete(e.watched, number)
	}
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
				e.post(client, func() { e.call(e.entry["complete"], number, nil, []string{kind, name}) })
			case err := <-watcher.Errors:
				e.post(client, func() { e.call(e.entry["complete"], number, err) })
			case <-ctx.Done():
				return
			}
		}
	}))
	return number, nil
}
