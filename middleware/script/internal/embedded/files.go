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
		"fileSync":  func(a []any) (any, error) { return e.blocking(e.operation(a)) },
		"fileAsync": func(a []any) (any, error) { return e.background(e.fileSlots, e.operation(a), a[3]) },
		"watch":     func(a []any) (any, error) { return e.watchPath(kept(a[0]), a[1].(quickjs.Value)) },
		"unwatch": does(func(a []any) {
			if stop := e.watched[int(a[0].(float64))]; stop != nil {
				stop()
			}
		}),
	}
}

// codes are those that Node has for errors of the system. An error may be of several kinds, of which the first one counts.
var codes = []struct {
	err  error
	code string
}{
	{fs.ErrNotExist, "ENOENT"},
	{syscall.EPERM, "EPERM"},
	{fs.ErrPermission, "EACCES"},
	{syscall.EISDIR, "EISDIR"},
	{syscall.ENOTDIR, "ENOTDIR"},
	{syscall.EMFILE, "EMFILE"},
	{syscall.EFBIG, "EFBIG"},
}

// coded gives an error its code. It names the call and the path.
func coded(err error, call, path string) error {
	for _, known := range codes {
		if errors.Is(err, known.err) {
			if at := (*fs.PathError)(nil); errors.As(err, &at) {
				err = at.Err
			}
			message := fmt.Sprintf("%s: %v, %s '%s'", known.code, err, call, path)
			return &problem{errors.New(message), "Error", map[string]any{"code": known.code, "syscall": call, "path": path}}
		}
	}
	return err
}

// operation is what is asked about a file, by the call that Node names in errors, a path, and whether access is to be read.
func (e *engine) operation(a []any) work {
	call, path, toRead := kept(a[0]), kept(a[1]), a[2] == true
	return func(context.Context) (any, error) {
		value, err := e.askFile(call, path, toRead)
		return value, coded(err, call, path)
	}
}

func (e *engine) askFile(call, path string, toRead bool) (any, error) {
	switch call {
	case "open":
		return e.readFile(path)
	case "scandir":
		return readFolder(path)
	}
	if toRead {
		f, err := openFile(path)
		if err == nil {
			f.Close()
		}
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	modified := float64(info.ModTime().UnixNano()) / float64(time.Millisecond)
	return map[string]any{"size": info.Size(), "type": info.Mode().Type(), "mtimeMs": modified}, nil
}

// openFile opens a file for reading. Of a FIFO without a writer, it would not return otherwise.
func openFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
}

// readFile reads a file of at most half of the script's memory limit, and of what has no size, such as a device, a
// sixteenth of that: there are files without an end.
func (e *engine) readFile(path string) (any, error) {
	f, err := openFile(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	defer context.AfterFunc(e.ctx, safely.Func("script file", func() { f.Close() }))()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	most := e.limit / 2 // which there may be of files beside the script's memory
	limit := max(info.Size(), most/8)
	if limit > most {
		return nil, syscall.EFBIG
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
		return nil, err
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
		return nil, err
	}
	type known struct {
		Name string      `json:"name"`
		Type fs.FileMode `json:"type"`
	}
	found := make([]known, len(entries))
	for i, entry := range entries {
		found[i] = known{entry.Name(), entry.Type()}
	}
	return found, nil
}

// watchPath begins fs.watch and returns the number by which js/fs.js ends it. The callback gets an error, or the kind of a change
// and the name of what has changed.
func (e *engine) watchPath(path string, callback quickjs.Value) (any, error) {
	if len(e.watched) >= maxWatchers {
		return nil, coded(syscall.EMFILE, "watch", path)
	}
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		if err = watcher.Add(path); err != nil {
			watcher.Close()
		}
	}
	if err != nil {
		return nil, coded(err, "watch", path)
	}
	number, client, f := e.timers.number(), e.owner.Load(), e.vm.Dup(callback)
	ctx, cancel := context.WithCancel(e.ctx)
	e.watched[number] = func() {
		cancel()
		delete(e.watched, number)
		e.vm.Free(f)
	}
	tell := func(outcome ...any) {
		e.post(client, func() {
			if e.watched[number] != nil {
				e.call(f, outcome...)
			}
		})
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
				tell(nil, kind, filepath.Base(event.Name))
			case err := <-watcher.Errors:
				tell(err)
			case <-ctx.Done():
				return
			}
		}
	}))
	return number, nil
}
